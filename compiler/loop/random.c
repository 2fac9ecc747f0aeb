/* Random numbers in the loop IR: which word of which Philox call an element
 * takes (runtime/aecc_rt.h has the rule).
 *
 * element  base * 4 + 6, normal   ->  words of call base + 1, the pair (2, 3),
 *                                     its first member
 * Where 4 is not known to divide what is not constant in `element`, the word
 * is selected at run time. */
#include "loop/loop.h"

/* element = 4 * *group + the value returned, in 0..3, or -1: unknown. */
static int place_in_call(Inst *element, Inst **group)
{
    Inst *place = irem(element, 4);
    *group = idiv(element, 4);
    if (place->op != L_iconst)
        return -1;
    if ((*group)->op == L_idiv) /* idiv((4 x) + c): drop c's last bits */
        *group = idiv(iadd(element, iconst(-place->integer)), 4);
    return (int)place->integer;
}

static Inst *bit_is_set(Inst *element, int bit)
{
    Inst *digit = irem(idiv(element, 1 << bit), 2);
    return map2(OP_eq, map_convert(digit, T_I32), vconst(V_I32, 1));
}

static Inst *choose_word(Inst *const w[4], Inst *odd, Inst *high)
{
    return map_select(high, map_select(odd, w[3], w[2]), map_select(odd, w[1], w[0]));
}

static Inst *value_at(RandomKind kind, Inst *const w[4], int place)
{
    if (kind == RANDOM_NORMAL)
        return normal_from(w[place & 2], w[place | 1], place & 1);
    return kind == RANDOM_UNIFORM ? uniform_from(w[place]) : w[place];
}

static Inst *value_at_unknown(RandomKind kind, Inst *const w[4], Inst *element)
{
    Inst *odd = bit_is_set(element, 0), *high = bit_is_set(element, 1);
    if (kind == RANDOM_NORMAL) {
        Inst *radius = map_select(high, w[2], w[0]), *angle = map_select(high, w[3], w[1]);
        return map_select(odd, normal_from(radius, angle, 1), normal_from(radius, angle, 0));
    }
    Inst *word = choose_word(w, odd, high);
    return kind == RANDOM_UNIFORM ? uniform_from(word) : word;
}

Inst *random_value(RandomKind kind, uint32_t path, Inst *element, bool vector)
{
    Inst *group, *words[4];
    int place = place_in_call(element, &group);
    philox_words(path, group, vector, words);
    return place < 0 ? value_at_unknown(kind, words, element) : value_at(kind, words, place);
}
