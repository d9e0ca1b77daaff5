/* Breaks frees.cocci, in the line marked so. */
static void widget_free(struct widget *w)
{
    free(w->name);
    free(w);
}

static struct widget *widget_new(void)
{
    struct widget *w = NEW(struct widget);
    if (w->name == NULL) {
        free(w);
        return NULL;
    }
    return w;
}

static void on_end(struct list *all, struct widget *w)
{
    char *words = must_strdup("end");
    struct widget **sorted = must_malloc(8);
    list_remove(&w->link);
    free(w->name);
    free(sorted);
    free(words);
    free(w); /* wrong */
}
