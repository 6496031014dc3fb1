/* A layer while its constructor runs: layer.c reads the arguments, layer_attr.c the attributes. */
#ifndef LUNETTE_FRONTEND_LUA_LAYER_H
#define LUNETTE_FRONTEND_LUA_LAYER_H

#include "frontend/lua/state.h"

typedef struct Layer {
    lua_State *L;
    Op op;
    const OpInfo *info;
    int line;
    Node *in[SPEC_INPUTS];
    int n_in;
    AttrAny attr;
    unsigned given;         /* bit i: attribute i was given */
    const char *given_name; /* held by the Lua stack, as is: */
    const char *schedule;
    char name[SPEC_NAME + 1]; /* in full */
    Node *node;
} Layer;

/* The attribute at this place of the list, from 1; NULL if there is none. */
const AttrInfo *layer_attr_at(const Layer *c, int position);
/* Sets an attribute from the value on top of the stack. */
void layer_attr_read(Layer *c, const AttrInfo *info);
/* Whether all attributes that have no default are there. */
void layer_attr_check(Layer *c);
/* Whether a name may stand in the braces; and the error when it may not. */
bool layer_key_known(const Layer *c, const char *key);
void layer_key_fail(Layer *c, const char *key);
/* The text on top of the stack, of at most `most` characters. */
const char *layer_text(Layer *c, const char *key, size_t most);
/* The schedule on top of the stack, a string or a list; a list is replaced by its strings joined by "; ". */
const char *layer_schedule(Layer *c);

#endif
