/* What is asked of tables, users and servers. */
#include <pthread.h>
#include <unistd.h>

#include "check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  told = PTHREAD_COND_INITIALIZER;
static int             whitelisted = -1, dropped;

static void on_whitelist(void *param, int code, TAOS *taos, int count, uint64_t *list) {
  CHECK(code == 0 && param == (void *)&whitelisted && taos != NULL && (count == 0 || list != NULL));
  pthread_mutex_lock(&lock);
  whitelisted = count;
  pthread_cond_signal(&told);
  pthread_mutex_unlock(&lock);
}

static void on_dropped(void *param, void *ext, int type) {
  CHECK(param == (void *)&dropped && ext == NULL && type == TAOS_NOTIFY_USER_DROPPED);
  pthread_mutex_lock(&lock);
  dropped = 1;
  pthread_cond_signal(&told);
  pthread_mutex_unlock(&lock);
}

void test_tables(TAOS *taos) {
  CHECK(taos_load_table_info(taos, "features.d1,features.meters") == 0 && taos_load_table_info(taos, "") == 0);
  CHECK(taos_load_table_info(taos, "features.d1,features.no_such") != 0);
  int vgroup = 0, vgroups[2] = {0, 0};
  CHECK(taos_get_table_vgId(taos, "features", "d1", &vgroup) == 0 && vgroup > 0);
  const char *names[] = {"d1", "d2"};
  CHECK(taos_get_tables_vgId(taos, "features", names, 2, vgroups) == 0 && vgroups[0] == vgroup && vgroups[1] > 0);
  CHECK(taos_get_table_vgId(taos, "no_such", "d1", &vgroup) != 0 && taos_get_table_vgId(taos, NULL, "d1", &vgroup) != 0);
  TAOS_DB_ROUTE_INFO route;
  CHECK(taos_get_db_route_info(taos, "features", &route) == 0 && route.vgNum > 0);
  CHECK(route.vgHash[0].hashBegin == 0 && route.vgHash[route.vgNum - 1].hashEnd == UINT32_MAX);
  free(route.vgHash);

  taos_fetch_whitelist_a(taos, on_whitelist, &whitelisted);
  pthread_mutex_lock(&lock);
  while (whitelisted < 0) pthread_cond_wait(&told, &lock);
  pthread_mutex_unlock(&lock);

  run(taos, "CREATE USER leaving PASS 'Secret_12'");
  TAOS *theirs = open_connection();
  CHECK(taos_set_notify_cb(theirs, on_dropped, &dropped, TAOS_NOTIFY_USER_DROPPED) == 0);
  CHECK(taos_set_notify_cb(theirs, on_dropped, &dropped, 77) != 0);
  run(taos, "DROP USER leaving");
  CHECK(taos_set_notify_cb(theirs, NULL, NULL, TAOS_NOTIFY_USER_DROPPED) == 0);
  taos_close(theirs);
  CHECK(!dropped);
}
