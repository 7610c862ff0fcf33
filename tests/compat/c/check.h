/* Checks that say where they failed, and what all parts of the program use. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <taos.h>

#define CHECK(condition)                                                                            \
  do {                                                                                              \
    if (!(condition)) {                                                                             \
      fprintf(stderr, "%s:%d: %s; last error 0x%08x %s\n", __FILE__, __LINE__, #condition, (unsigned)taos_errno(NULL), taos_errstr(NULL)); \
      exit(1);                                                                                      \
    }                                                                                               \
  } while (0)

#define CHECK_CODE(value, code)                                                                     \
  do {                                                                                              \
    int found_ = (value);                                                                           \
    if (found_ != (code)) {                                                                         \
      fprintf(stderr, "%s:%d: %s is 0x%08x, not 0x%08x; last error %s\n", __FILE__, __LINE__, #value, (unsigned)found_, (unsigned)(code), taos_errstr(NULL)); \
      exit(1);                                                                                      \
    }                                                                                               \
  } while (0)

/* A code as the interface gives it. */
#define CODE(low) ((int)(0x80000000u | (low)))

/* Where the server is; NULL where EMBUDO_DSN says. */
extern const char    *connected_host;
extern unsigned short connected_port;

TAOS *open_connection(void);
/* Runs a statement that must succeed; gives the affected rows. */
int run(TAOS *taos, const char *sql);
/* Runs a statement that must fail; gives its code. */
int refused(TAOS *taos, const char *sql);
/* The first cell of a query of one number. */
long long number(TAOS *taos, const char *sql);

void test_library(TAOS *taos);
void test_queries(TAOS *taos);
void test_types(TAOS *taos);
void test_async(TAOS *taos);
void test_schemaless(TAOS *taos);
void test_statements(TAOS *taos);
void test_statements2(TAOS *taos);
void test_tables(TAOS *taos);
void test_misuse(TAOS *taos);
void test_threads(TAOS *taos);
void test_subscriptions(TAOS *taos);

#endif
