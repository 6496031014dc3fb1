/* The Lua front end: a spec is a Lua 5.4 script that builds a graph by calling one function a layer.
 *
 *   local classes = param("classes", 10)            -- set by --set classes=N; the default gives the type
 *   local x = input { "image", 1, 28, 28 }          -- name, channels, then no, one, two or three extents ([d] [h] w)
 *   local y = x:conv { 6, 5, pad = 2, name = "conv1" }:tanh():avgpool { 2 }
 *   return y:flatten():dense { classes, name = "fc" }:softmax()
 *
 * Layers. Every op of ir/ops.def that users may write is a function and a method: relu(x) and
 * x:relu(). Its attributes go in braces, by place or by name; an attribute over the spatial axes is
 * a number or a list: stride = 2, stride = { 2, 1 }, pad = { 0, 0, 1, 1 }. Two more names fit every op:
 *   name      of the node, and of its weights: NAME.weight, NAME.bias …; conv_1, conv_2 … otherwise
 *   schedule  steps for the kernel that this layer becomes, a string or a list of strings
 * a + b adds; concat { a, b } and a:concat { b } join channels.
 * Inputs and weights. input { "x", shape = { 4, 3, 32, 32 }, type = "i64" } has its whole shape, batch included, and another
 * element type. A layer makes its weights; weight { "w", 64, 3, 7, 7, axes = "ochw" } is one as a value, for layers that share
 * it or a sum: conv(x, w, b, { 64, 7 }). axes: its letters, when they are not those of an activation.
 * Values. x.shape is the list of extents {n, c, …}, x.channels a number, x.name a string.
 * Blocks are Lua functions. scope(name, f, …) calls f(…) and puts "name." before every layer name
 * (not before input names) given inside; scopes nest, and a number is a fine name for an inner one.
 * The result. `return y` (named "output"), `return { a, b }` (output_1, output_2) or
 * `return { boxes = b, scores = s }` (in the order of their names) or `return { { "scores", s }, { "boxes", b } }` (in this
 * order).
 *
 * The rest of Lua is there but for what reaches outside, hides an error or cannot be bounded in time: no files,
 * modules, coroutines, metatables, pcall, load. An unknown name is an error, not nil. pairs goes in the
 * order of the keys and math.random always gives the same numbers, so that a spec means one graph.
 * print goes to stderr. Strings end at 1 MB, a spec at 16 MB. */
#ifndef LUNETTE_FRONTEND_LUA_SPEC_H
#define LUNETTE_FRONTEND_LUA_SPEC_H

#include "ir/graph.h"

typedef struct SpecOptions {
    int64_t batch;          /* of inputs, ≥ 1 */
    const char *const *set; /* "classes=10": the --set arguments */
    int n_set;
    size_t memory_limit; /* bytes that Lua, and the graph, may each hold; 0: 256 MB */
    double seconds;      /* time limit; 0: 10 s */
} SpecOptions;

/* Runs the spec and returns the graph it describes, or NULL with `d`: DIAG_SPEC with file and line,
 * DIAG_FILE when the file cannot be read, DIAG_USAGE for a --set that is wrong or that no param() asked for,
 * DIAG_MACHINE when memory is short. Never jumps to the arena's `oom`. */
Graph *spec_load(Arena *a, const char *path, const SpecOptions *o, Diag *d);
/* The same of a spec that is no file; `name` stands for the path in messages. */
Graph *spec_load_text(Arena *a, const char *name, const char *text, const SpecOptions *o, Diag *d);

#endif
