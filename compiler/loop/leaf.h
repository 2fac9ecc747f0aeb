/* A leaf of a nest: products that are added to outputs. */
#ifndef AECC_LEAF_H
#define AECC_LEAF_H

#include "loop/lower.h"

typedef struct Product {
    int output;
    int step;           /* of the sum                                */
    int64_t address[2]; /* constant part, of each operand            */
    int value[2];       /* number of the operand among all different */
    bool fresh;         /* what was loaded before is not kept        */
} Product;

typedef struct Leaf {
    Product *at;
    int n, cap, noutputs;
    int nvalues[2];
    double registers[2]; /* of a value of each operand                */
    double room;         /* registers that are left for operands      */
} Leaf;

/* Fills in value and nvalues. */
void number_values(Leaf *);
/* Another order with fewer registers alive, if there is one; where there is no
 * room for it, an order that loads operands again at each step. */
void order_products(Leaf *);

#endif
