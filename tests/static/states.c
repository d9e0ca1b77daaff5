/* Breaks states.cocci, in each line marked so. */
static void widget_enter(struct widget *w, enum widget_state to)
{
    STATE_ENTER(widget, &w->state, to, NULL, 0);
}

static void phase_enter(struct widget *w, enum phase_state to)
{
    STATE_ENTER_FOR(phase, &w->phase, to, NULL, 0, w->id);
}

static void restart(struct widget *w, struct view *view, struct progress *p)
{
    w->state = WIDGET_OPEN;                              /* wrong */
    w->part.state = WIDGET_OPEN;                         /* wrong */
    w->phase = PHASE_FIRST;                              /* wrong */
    w->state++;                                          /* wrong */
    STATE_ENTER(gadget, &w->gadget, GADGET_ON, NULL, 0); /* wrong */
    w->size = 0;
    view->state = w->state;
    p->state = PROGRESS_QUEUED;
    if (w->state == WIDGET_OPEN)
        widget_enter(w, WIDGET_CLOSED);
}

static void enter_again(struct widget *w, enum widget_state to)
{
    STATE_ENTER(widget, &w->state, to, NULL, 0); /* wrong */
}
