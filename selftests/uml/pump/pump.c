// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sends packets on one UDP socket and takes them from another, in the kernel:
 * copies between kernel and processes cost User Mode Linux several times what
 * they cost elsewhere, and would hide what is to be measured.
 *
 * Write "CLIENT SERVER PACKETS BYTES" (file descriptors, payload) to
 * /proc/pump; a read then gives "NANOSECONDS ARRIVED".
 */
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/proc_fs.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <net/sock.h>

#define BATCH	64
#define BYTES	1400
#define PATIENCE	50

static u64 took;
static u32 arrived;
static char buf[BYTES];

static u32 drain(struct socket *server)
{
	struct msghdr msg = {};
	struct kvec vec;
	u32 n = 0;

	for (;;) {
		vec.iov_base = buf;
		vec.iov_len = sizeof(buf);
		if (kernel_recvmsg(server, &msg, &vec, 1, sizeof(buf),
				   MSG_DONTWAIT) < 0)
			return n;
		n++;
	}
}

/* Once ksoftirqd has been woken, packets wait for it, and it waits for us. */
static void catch_up(struct socket *server, u32 sent)
{
	int i;

	arrived += drain(server);
	for (i = 0; i < PATIENCE && arrived < sent; i++) {
		if (i < 10)
			schedule();
		else
			schedule_timeout_uninterruptible(1);
		arrived += drain(server);
	}
}

static int pump(struct socket *client, struct socket *server, u32 packets,
		u32 bytes)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
	struct kvec vec;
	u64 start;
	int err;
	u32 i;

	arrived = 0;
	start = ktime_get_ns();
	for (i = 0; i < packets; i++) {
		vec.iov_base = buf;
		vec.iov_len = bytes;
		err = kernel_sendmsg(client, &msg, &vec, 1, bytes);
		if (err < 0)
			return err;
		if (i % BATCH == BATCH - 1)
			catch_up(server, i + 1);
	}
	catch_up(server, packets);
	took = ktime_get_ns() - start;
	return 0;
}

static ssize_t pump_write(struct file *file, const char __user *user,
			  size_t len, loff_t *pos)
{
	int from, to, err = 0, bad;
	struct socket *client, *server;
	u32 packets, bytes;
	char line[64] = {};

	if (len >= sizeof(line) || copy_from_user(line, user, len))
		return -EINVAL;
	if (sscanf(line, "%d %d %u %u", &from, &to, &packets, &bytes) != 4 ||
	    bytes > BYTES)
		return -EINVAL;
	client = sockfd_lookup(from, &err);
	server = sockfd_lookup(to, &bad);
	if (!client || !server)
		err = -EBADF;
	else
		err = pump(client, server, packets, bytes);
	if (client)
		sockfd_put(client);
	if (server)
		sockfd_put(server);
	return err ?: len;
}

static ssize_t pump_read(struct file *file, char __user *user, size_t len,
			 loff_t *pos)
{
	char line[64];
	int n = scnprintf(line, sizeof(line), "%llu %u\n", took, arrived);

	return simple_read_from_buffer(user, len, pos, line, n);
}

static const struct proc_ops ops = {
	.proc_read	= pump_read,
	.proc_write	= pump_write,
};

static int __init pump_init(void)
{
	return proc_create("pump", 0600, NULL, &ops) ? 0 : -ENOMEM;
}

static void __exit pump_exit(void)
{
	remove_proc_entry("pump", NULL);
}

module_init(pump_init);
module_exit(pump_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Both ends of a UDP flow");
