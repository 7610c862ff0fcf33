/* Topics and consumers. */
#include "check.h"

void test_subscriptions(TAOS *taos) {
  (void)taos;
}
