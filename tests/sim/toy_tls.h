/* The records of the simulated TLS, for origins too. Values only: no owner, no state. */
#pragma once

#include <stddef.h>

#define TOY_RECORD_HEAD 5
#define TOY_ALERT 21 /* close_notify */
#define TOY_HELLO 22
#define TOY_DATA 23

/* Writes one record; returns its size. */
size_t toy_tls_record(unsigned char type, const void *body, size_t len, unsigned char *to);
