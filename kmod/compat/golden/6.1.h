/* Made by probe.sh from the kernel's headers. */
/* VNIMESH_HAVE_NETDEV_LLTX is not set */
/* VNIMESH_HAVE_NETNS_IMMUTABLE is not set */
/* VNIMESH_HAVE_NETNS_LOCAL is not set */
/* VNIMESH_HAVE_NEWLINK_PARAMS is not set */
/* VNIMESH_HAVE_UDP_TUNNEL_XMIT_FLAGS is not set */
/* VNIMESH_HAVE_UDP_TUNNEL6_XMIT_FLAGS is not set */
/* VNIMESH_HAVE_SETUP_UDP_TUNNEL_SK is not set */
/* VNIMESH_HAVE_RELEASE_UDP_TUNNEL_SK is not set */
/* VNIMESH_HAVE_ENCAP_ERR_RCV_INFO is not set */
/* VNIMESH_HAVE_FLOWI4_DSCP is not set */
/* VNIMESH_HAVE_TIMER_CONTAINER_OF is not set */
/* VNIMESH_HAVE_HRTIMER_SETUP is not set */
/* VNIMESH_HAVE_ASSIGN_STR_ONE is not set */
/* VNIMESH_HAVE_NET_GSO_H is not set */
/* VNIMESH_HAVE_LINUX_UNALIGNED_H is not set */
