// SPDX-License-Identifier: GPL-2.0-or-later
/* The secret key of this node. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dirsync.h"
#include "peer_key.h"

#define DIGITS	(2 * crypto_box_SECRETKEYBYTES)

bool peer_key_parse(const char *text, uint8_t ret[crypto_box_PUBLICKEYBYTES])
{
	size_t n = 0;

	return strlen(text) == DIGITS &&
	       !sodium_hex2bin(ret, crypto_box_PUBLICKEYBYTES, text, DIGITS,
			       NULL, &n, NULL) &&
	       n == crypto_box_PUBLICKEYBYTES;
}

/* 0, -ENOENT, or another error with its text. */
static int read_key(const char *file, uint8_t *secret, char *error, size_t len)
{
	char text[DIGITS + 2] = "";
	struct stat st;
	ssize_t n;
	int fd;

	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		snprintf(error, len, "%s: %s", file, strerror(errno));
		return -errno;
	}
	n = fstat(fd, &st) ? -1 : read(fd, text, DIGITS + 1);
	close(fd);
	if (n < 0) {
		snprintf(error, len, "%s: %s", file, strerror(errno));
		return -EIO;
	}
	if (st.st_mode & 077) {
		snprintf(error, len,
			 "%s: others may read it; its mode must be 0600", file);
		return -EPERM;
	}
	text[strcspn(text, "\n")] = '\0';
	if (peer_key_parse(text, secret)) {
		sodium_memzero(text, sizeof(text));
		return 0;
	}
	snprintf(error, len, "%s: must be %d hexadecimal digits", file,
		 (int)DIGITS);
	return -EINVAL;
}

/* The name appears with all that is in it, or not at all. */
static int write_key(const char *dir, const char *file, const uint8_t *secret)
{
	char text[DIGITS + 2], tmp[1024];
	int err = 0, fd;

	snprintf(tmp, sizeof(tmp), "%s.new", file);
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	if (fd < 0)
		return -errno;
	sodium_bin2hex(text, DIGITS + 1, secret, crypto_box_SECRETKEYBYTES);
	strcat(text, "\n");
	if (write(fd, text, DIGITS + 1) != DIGITS + 1 || fsync(fd))
		err = errno ? -errno : -EIO;
	close(fd);
	sodium_memzero(text, sizeof(text));
	if (!err && link(tmp, file))
		err = -errno;
	unlink(tmp);
	/* Where it fails the key is there, if not for ever. */
	if (!err)
		dir_sync(dir);
	return err;
}

enum peer_key_fate peer_key_load(const char *dir,
				 uint8_t secret[crypto_box_SECRETKEYBYTES],
				 char *error, size_t len)
{
	char file[1000];
	int err;

	snprintf(file, sizeof(file), "%s/%s", dir, PEER_KEY_FILE);
	err = read_key(file, secret, error, len);
	if (err != -ENOENT)
		return err ? PEER_KEY_UNUSABLE : PEER_KEY_READY;
	randombytes_buf(secret, crypto_box_SECRETKEYBYTES);
	mkdir(dir, 0755);
	err = write_key(dir, file, secret);
	if (!err)
		return PEER_KEY_READY;
	snprintf(error, len, "%s: cannot make it: %s", file, strerror(-err));
	return PEER_KEY_PASSING;
}
