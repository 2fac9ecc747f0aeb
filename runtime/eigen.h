/* The Fréchet distance between two sets of points, by way of eigenvalues of
 * small symmetric matrices; all in double. */
#ifndef AECC_EIGEN_H
#define AECC_EIGEN_H

#include <stdint.h>

/* Jacobi's method: the eigenvalues of a symmetric n x n matrix (row-major, which is
 * overwritten), in no order, and where `vectors` is not NULL the eigenvectors as
 * its columns. */
void symmetric_eigen(int n, double *matrix, double *values, double *vectors);

/* |m - m'|^2 + trace(S + S' - 2 (S S')^(1/2)) of the means m and covariances S
 * (divided by count - 1) of two sets of `count` points [n], count >= 2. */
double frechet_distance(int n, int64_t count_a, const float *a, int64_t count_b, const float *b);

#endif
