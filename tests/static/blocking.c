/* Breaks blocking.cocci, in each line marked so. */
static void rest(struct widget *w)
{
    sleep(1);           /* wrong */
    poll(w->at, 1, -1); /* wrong */
    if (poll(w->at, 1, 0) == 1 && w->fd)
        fsync(w->fd);       /* wrong */
    if (system(w->command)) /* wrong */
        deadline_in(&w->retry, 1000);
}
