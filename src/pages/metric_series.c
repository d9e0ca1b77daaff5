#include "pages/metric_series.h"

#include <string.h>

void series_escape(struct text *t, const char *value)
{
    for (size_t plain; *value; value += plain + (value[plain] != '\0')) {
        plain = strcspn(value, "\\\"\n");
        text_add(t, (struct span){value, plain});
        if (value[plain] == '\n')
            text_add(t, SPAN("\\n"));
        else if (value[plain])
            text_add(t, (struct span){value[plain] == '"' ? "\\\"" : "\\\\", 2});
    }
}

void series_name(struct series *s, const char *suffix)
{
    text_add(s->to, SPAN("trunkline_"));
    text_add_str(s->to, s->family);
    text_add_str(s->to, suffix);
}

void series_upstream(struct series *s, const char *name)
{
    text_add(s->to, SPAN("{upstream=\""));
    series_escape(s->to, name);
    text_add(s->to, SPAN("\""));
    if (s->exit == NULL)
        return;
    text_add(s->to, SPAN(",exit=\""));
    series_escape(s->to, s->exit);
    text_add(s->to, SPAN("\""));
}

void series_labels(struct series *s, const char *upstream, const char *label, const char *value)
{
    series_upstream(s, upstream);
    if (*label) {
        text_add(s->to, SPAN(","));
        text_add_str(s->to, label);
    }
    if (value) {
        text_add(s->to, SPAN("=\""));
        text_add_str(s->to, value);
        text_add(s->to, SPAN("\""));
    }
    text_add(s->to, SPAN("} "));
}

void series_end(struct series *s, uint64_t n)
{
    text_add_number(s->to, n);
    text_add(s->to, SPAN("\n"));
}

void series_sample(struct series *s, const struct pool_view *v, const char *label,
                   const char *value, uint64_t n)
{
    series_name(s, "");
    series_labels(s, v->name, label, value);
    series_end(s, n);
}
