/* Breaks clocks.cocci, in each line marked so. */
static void stamp(struct widget *w)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t); /* wrong */
    w->at = time(NULL);                 /* wrong */
    w->seed = (unsigned)rand();         /* wrong */
    w->random = getrandom;              /* wrong */
    use(w, uv_hrtime);                  /* wrong */
    w->time = loop_now(w->loop);
    w->date = http_date(w->time);
}
