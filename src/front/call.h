/* One request of a client connection and its response: the request's bytes go to an
 * exchange of the handler, what the exchange answers goes to the response writer.
 *
 * Owned by the client connection, from the first byte of the request until the call is
 * over. The request has a state (request_parser), and so has the response
 * (response_writer); the call is over when both are, or when its response is and the
 * connection cannot go on. */
#pragma once

#include "front/client_context.h"
#include "front/request_parser.h"
#include "front/response_writer.h"

struct call;

struct call_events {
    /* The head of the request is complete, and is about to be given to the handler.
     * False: it is refused, as `why` then says. */
    bool (*on_head)(void *owner, const struct request *, struct verdict *why);
    /* Something was written, which may change what is waited for. */
    void (*on_progress)(void *owner);
    /* By the end of this turn look at call_is_over() and call_is_listening(). */
    void (*on_change)(void *owner);
    /* The request was refused without an exchange; its response is written, and nothing
     * more comes. */
    void (*on_refused)(void *owner);
    /* The response was the last of HTTP, and is flushed: the connection becomes what `to`
     * says (taken over). The call may be freed in it. */
    void (*on_switch)(void *owner, const struct switched *to);
};

/* How a call can end. */
enum call_end {
    CALL_NEXT, /* another request may follow */
    CALL_LAST, /* the connection ends, after what is written */
    CALL_CUT   /* the response is cut: the connection must be closed at once */
};

/* `ingress` and the writer (idle) are borrowed for its life. */
struct call *call_new(struct client_context *, const struct ingress *, struct response_writer *,
                      const struct call_events *, void *owner);

/* Parses bytes of the request, only while call_is_listening(). Returns how many it used. */
size_t call_feed(struct call *, const char *data, size_t len);

/* The id of its request, for the log. */
const struct request_id *call_request_id(const struct call *);

/* Does the request want more bytes now? */
bool call_is_listening(const struct call *);

/* May bytes beyond the request be of use: the next request, or what follows a switch? */
bool call_keeps_ahead(const struct call *);

/* Refuses the request. Its exchange answers so; if there is none, the error is written here,
 * unless the response is complete already, and on_refused comes. The connection ends with
 * this call. */
void call_refuse(struct call *, const struct verdict *why);

/* The same, unless the response is over or the request was refused before. */
void call_settle(struct call *, const struct verdict *why);

/* The stream is full, or takes more again: pauses and resumes the source of the response. */
void call_pause(struct call *);
void call_resume(struct call *);

/* How long (ms) its client may take nothing of the response; UINT64_MAX: without end. */
uint64_t call_patience(const struct call *);

/* Is the response over? And how does the call end then? */
bool call_is_over(const struct call *);
enum call_end call_end(const struct call *);

/* The client has left, or nothing more is to be answered: cancels the exchange. No event
 * comes after. */
void call_leave(struct call *);

/* Its exchange must have ended or been cancelled. NULL is fine. */
void call_free(struct call *);
