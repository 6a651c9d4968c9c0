/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random names from the kernel's generator; both end the program if it fails. */
#ifndef COORDINATOR_UUID_H
#define COORDINATOR_UUID_H

/* A version 4 UUID. */
void uuid_make(char text[37]);

/* 64 random bits as hexadecimal digits. */
void id64_make(char text[17]);

#endif
