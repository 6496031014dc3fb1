/* The text form of plans, printed and parsed. */
#include "ir/plan.h"

#include <ctype.h>
#include <string.h>

static const char *const places[] = {
    [PLACE_ARENA] = "arena", [PLACE_WEIGHTS] = "weights", [PLACE_INPUT] = "input", [PLACE_OUTPUT] = "output"};

/* As the lexer reads it; it cannot hold control characters: they become '?'. */
static void print_string(Text *t, const char *s) {
    text_add(t, "\"");
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') text_add(t, "\\%c", *s);
        else text_add(t, "%c", iscntrl((unsigned char)*s) ? '?' : *s);
    }
    text_add(t, "\"");
}

static bool is_name(const char *s) {
    if (!isalpha((unsigned char)*s) && *s != '_') return false;
    while (isalnum((unsigned char)*s) || *s == '_' || (*s == '.' && (isalnum((unsigned char)s[1]) || s[1] == '_'))) s++;
    return *s == '\0';
}

static void print_boxes(Text *t, const char *what, const Box *b, int n, int rank) {
    for (int i = 0; i < n; i++) {
        text_add(t, " %s [", what);
        for (int j = 0; j < rank; j++)
            text_add(t, "%s%lld:%lld", j ? " " : "", (long long)b[i].lo[j], (long long)b[i].hi[j]);
        text_add(t, "]");
    }
}

static void print_ports(Text *t, const char *what, const PlanPort *p, int n) {
    for (int i = 0; i < n; i++) {
        text_add(t, "    %s ", what);
        print_string(t, p[i].name);
        text_add(t, " : ");
        type_print(t, &p[i].type);
        text_add(t, "\n");
    }
}

void plan_print(Text *t, const Plan *p) {
    text_add(t, "plan ");
    if (is_name(p->name)) text_add(t, "%s", p->name);
    else print_string(t, p->name);
    text_add(t, " {\n    arena %lld\n    live %lld\n    weights %lld\n", (long long)p->arena_bytes,
             (long long)p->live_bytes, (long long)p->weight_bytes);
    if (p->scratch_bytes) text_add(t, "    scratch %lld\n", (long long)p->scratch_bytes);
    print_ports(t, "input", p->input, p->n_input);
    print_ports(t, "output", p->output, p->n_output);
    for (int i = 0; i < p->n_buf; i++) {
        const PlanBuf *b = &p->buf[i];
        text_add(t, "    buffer b%d ", i);
        print_string(t, b->name);
        text_add(t, " : ");
        type_print(t, &b->type);
        text_add(t, " at %s %lld", places[b->place], (long long)b->at);
        if (b->place == PLACE_ARENA) text_add(t, " live %d %d", b->first, b->last);
        if (b->is_part) text_add(t, " part b%d axis %d from %lld", b->whole, b->axis, (long long)b->from);
        if (b->is_over) text_add(t, " over b%d", b->over);
        text_add(t, "\n");
    }
    for (int i = 0; i < p->n_kernel; i++) {
        const PlanKernel *k = &p->kernel[i];
        text_add(t, "    kernel k%d tasks %lld", i, (long long)k->tasks);
        if (k->scratch) text_add(t, " scratch %lld", (long long)k->scratch);
        text_add(t, " {\n");
        for (int j = 0; j < k->n_arg; j++) {
            text_add(t, "        rank %d", k->arg[j].rank);
            print_boxes(t, "reads", k->arg[j].read, k->arg[j].n_read, k->arg[j].rank);
            print_boxes(t, "writes", k->arg[j].written, k->arg[j].n_written, k->arg[j].rank);
            if (k->arg[j].is_over) text_add(t, " over %d", k->arg[j].over);
            text_add(t, "\n");
        }
        text_add(t, "    }\n");
    }
    for (int i = 0; i < p->n_step; i++) {
        const PlanStep *s = &p->step[i];
        text_add(t, "    step ");
        print_string(t, s->name);
        text_add(t, " k%d(", s->kernel);
        for (int j = 0; j < s->n_arg; j++) text_add(t, "%sb%d", j ? ", " : "", s->buf[j]);
        text_add(t, ")\n");
    }
    text_add(t, "}\n");
}

/* ---- parsing ------------------------------------------------------------------------------------ */

static bool parse_string(Lexer *l, const char **out) {
    if (l->failed) return false;
    if (l->kind != TOK_STRING) return lex_fail(l, "a name in quotes expected, '%.80s' found", l->text);
    *out = l->text;
    lex_next(l);
    return true;
}

/* b12, k3: a letter and a number in 0 … n−1 */
static bool parse_number(Lexer *l, char letter, int n, int *out) {
    const char *name;
    if (!lex_name(l, &name)) return false;
    int64_t v = 0;
    size_t digits = strspn(name + 1, "0123456789");
    if (name[0] != letter || digits == 0 || digits > 9 || name[1 + digits])
        return lex_fail(l, "%c0, %c1 … expected, '%s' found", letter, letter, name);
    for (size_t i = 1; i <= digits; i++) v = v * 10 + (name[i] - '0');
    if (v >= n) return lex_fail(l, "there is no %s", name);
    *out = (int)v;
    return true;
}

static bool parse_port(Lexer *l, PlanPort *p) {
    return parse_string(l, &p->name) && lex_want(l, ":") && type_parse(l, &p->type);
}

static bool parse_buffer(Lexer *l, Plan *p) {
    PlanBuf b = {.first = -1, .last = -1};
    int number;
    if (!parse_number(l, 'b', p->n_buf + 1, &number) || !parse_string(l, &b.name) || !lex_want(l, ":") ||
        !type_parse(l, &b.type) || !lex_want(l, "at"))
        return false;
    if (number != p->n_buf) return lex_fail(l, "buffers are numbered in order");
    const char *place;
    if (!lex_name(l, &place)) return false;
    size_t i = 0;
    while (i < COUNT_OF(places) && strcmp(places[i], place) != 0) i++;
    if (i == COUNT_OF(places)) return lex_fail(l, "arena, weights, input or output expected, '%s' found", place);
    b.place = (Place)i;
    if (!lex_int(l, 0, (int64_t)1 << 48, &b.at)) return false;
    if (lex_take(l, "live")) {
        int64_t first, last;
        if (!lex_int(l, -1, 1 << 30, &first) || !lex_int(l, -1, 1 << 30, &last)) return false;
        b.first = (int)first;
        b.last = (int)last;
    }
    if (lex_take(l, "part")) {
        int64_t axis;
        b.is_part = true;
        if (!parse_number(l, 'b', p->n_buf, &b.whole) || !lex_want(l, "axis") || !lex_int(l, 0, MAX_AXES - 1, &axis) ||
            !lex_want(l, "from") || !lex_int(l, 0, 1 << 30, &b.from))
            return false;
        b.axis = (int)axis;
    }
    b.is_over = lex_take(l, "over");
    if (b.is_over && !parse_number(l, 'b', p->n_buf, &b.over)) return false;
    ARENA_PUSH(p->arena, p->buf, p->n_buf, p->cap_buf, b);
    return true;
}

static bool parse_box(Lexer *l, int rank, Box *b) {
    if (!lex_want(l, "[")) return false;
    for (int i = 0; i < rank; i++)
        if (!lex_int(l, 0, (int64_t)1 << 40, &b->lo[i]) || !lex_want(l, ":") ||
            !lex_int(l, 0, (int64_t)1 << 40, &b->hi[i]))
            return false;
    return lex_want(l, "]");
}

static bool parse_arg(Lexer *l, Plan *p, PlanArg *a) {
    int64_t rank;
    if (!lex_want(l, "rank") || !lex_int(l, 0, MAX_AXES, &rank)) return false;
    a->rank = (int)rank;
    for (;;) {
        Box b = {{0}, {0}};
        if (lex_take(l, "reads")) {
            if (!parse_box(l, a->rank, &b)) return false;
            ARENA_PUSH(p->arena, a->read, a->n_read, a->cap_read, b);
        } else if (lex_take(l, "writes")) {
            if (!parse_box(l, a->rank, &b)) return false;
            ARENA_PUSH(p->arena, a->written, a->n_written, a->cap_written, b);
        } else {
            a->is_over = lex_take(l, "over");
            int64_t over = 0;
            if (a->is_over && !lex_int(l, 0, 1 << 30, &over)) return false;
            a->over = (int)over;
            return true;
        }
    }
}

static bool parse_kernel(Lexer *l, Plan *p) {
    PlanKernel k = {0};
    int number, cap = 0;
    if (!parse_number(l, 'k', p->n_kernel + 1, &number)) return false;
    if (number != p->n_kernel) return lex_fail(l, "kernels are numbered in order");
    if (!lex_want(l, "tasks") || !lex_int(l, 1, (int64_t)1 << 40, &k.tasks)) return false;
    if (lex_take(l, "scratch") && !lex_int(l, 1, (int64_t)1 << 48, &k.scratch)) return false;
    if (!lex_want(l, "{")) return false;
    while (lex_is(l, "rank")) {
        PlanArg a = {0};
        if (!parse_arg(l, p, &a)) return false;
        ARENA_PUSH(p->arena, k.arg, k.n_arg, cap, a);
    }
    ARENA_PUSH(p->arena, p->kernel, p->n_kernel, p->cap_kernel, k);
    return lex_want(l, "}");
}

static bool parse_step(Lexer *l, Plan *p) {
    PlanStep s = {0};
    int cap = 0;
    if (!parse_string(l, &s.name) || !parse_number(l, 'k', p->n_kernel, &s.kernel) || !lex_want(l, "(")) return false;
    while (!lex_take(l, ")")) {
        int b;
        if ((s.n_arg > 0 && !lex_want(l, ",")) || !parse_number(l, 'b', p->n_buf, &b)) return false;
        ARENA_PUSH(p->arena, s.buf, s.n_arg, cap, b);
    }
    ARENA_PUSH(p->arena, p->step, p->n_step, p->cap_step, s);
    return true;
}

static bool parse_line(Lexer *l, Plan *p) {
    PlanPort port;
    const int64_t most = (int64_t)1 << 48;
    if (lex_take(l, "arena")) return lex_int(l, 0, most, &p->arena_bytes);
    if (lex_take(l, "live")) return lex_int(l, 0, most, &p->live_bytes);
    if (lex_take(l, "scratch")) return lex_int(l, 0, most, &p->scratch_bytes);
    if (lex_take(l, "weights")) return lex_int(l, 0, most, &p->weight_bytes);
    if (lex_take(l, "input")) {
        if (!parse_port(l, &port)) return false;
        ARENA_PUSH(p->arena, p->input, p->n_input, p->cap_input, port);
        return true;
    }
    if (lex_take(l, "output")) {
        if (!parse_port(l, &port)) return false;
        ARENA_PUSH(p->arena, p->output, p->n_output, p->cap_output, port);
        return true;
    }
    if (lex_take(l, "buffer")) return parse_buffer(l, p);
    if (lex_take(l, "kernel")) return parse_kernel(l, p);
    if (lex_take(l, "step")) return parse_step(l, p);
    return lex_fail(l, "a line of a plan expected, '%.80s' found", l->text);
}

Plan *plan_parse(Lexer *l) {
    Plan *p = ARENA_NEW(l->arena, Plan);
    p->arena = l->arena;
    if (!lex_want(l, "plan")) return NULL;
    if (l->kind == TOK_STRING ? !parse_string(l, &p->name) : !lex_name(l, &p->name)) return NULL;
    if (!lex_want(l, "{")) return NULL;
    while (!lex_take(l, "}"))
        if (!parse_line(l, p)) return NULL;
    return p;
}
