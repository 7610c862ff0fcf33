/* The library, connections and what is asked of them. */
#include "check.h"

/* Whether the session's zone has this name. */
static int zone_is(TAOS *taos, const char *name) {
  TAOS_RES *res = taos_query(taos, "SELECT TIMEZONE()");
  TAOS_ROW  row = taos_fetch_row(res);
  CHECK(row != NULL);
  int same = taos_fetch_lengths(res)[0] >= (int)strlen(name) && memcmp(row[0], name, strlen(name)) == 0;
  taos_free_result(res);
  return same;
}

void test_library(TAOS *taos) {
  CHECK(atoi(taos_get_client_info()) >= 3);
  CHECK(strstr(taos_get_server_info(taos), "3.") == taos_get_server_info(taos));
  CHECK(embudo_libtaos_version() != NULL && getBuildInfo() != NULL);
  CHECK(strcmp(taos_data_type(TSDB_DATA_TYPE_NCHAR), "TSDB_DATA_TYPE_NCHAR") == 0);
  CHECK(taos_options(TSDB_OPTION_LOCALE, "en_US.UTF-8") == 0 && taos_options(TSDB_OPTION_CHARSET, "UTF-8") == 0);

  run(taos, "DROP DATABASE IF EXISTS features");
  run(taos, "CREATE DATABASE features PRECISION 'us'");
  CHECK(taos_select_db(taos, "features") == 0);
  CHECK_CODE(taos_select_db(taos, "no_such_database"), CODE(0x0388));
  char name[16];
  int  required = 0;
  CHECK(taos_get_current_db(taos, name, sizeof name, &required) == 0 && strcmp(name, "features") == 0);
  CHECK(taos_get_current_db(taos, name, 4, &required) == -1 && required == 9);
  taos_reset_current_db(taos);
  CHECK(taos_get_current_db(taos, name, sizeof name, &required) == 0 && name[0] == 0);
  CHECK_CODE(refused(taos, "CREATE TABLE t (ts TIMESTAMP, a INT)"), CODE(0x2616));
  CHECK(taos_select_db(taos, "features") == 0);

  CHECK(taos_connect_is_alive(taos) == 1 && taos_validate_connection(taos) == 0);
  char user[24];
  int  length = sizeof user;
  CHECK(taos_get_connection_info(taos, TSDB_CONNECTION_INFO_USER, user, &length) == 0 && strcmp(user, "root") == 0 && length == 4);
  CHECK(taos_options_connection(taos, TSDB_OPTION_CONNECTION_TIMEZONE, "Asia/Shanghai") == 0);
  CHECK(zone_is(taos, "Asia/Shanghai"));
  CHECK(taos_options_connection(taos, TSDB_OPTION_CONNECTION_TIMEZONE, NULL) == 0 && zone_is(taos, "UTC"));
  CHECK(taos_options_connection(taos, TSDB_OPTION_CONNECTION_USER_IP, "127.0.0.1") == 0);
  CHECK(taos_options_connection(taos, TSDB_OPTION_CONNECTION_USER_IP, "nowhere") != 0);
  CHECK(taos_options_connection(taos, TSDB_OPTION_CONNECTION_USER_APP, "features") == 0);
  CHECK(taos_set_conn_mode(taos, TAOS_CONN_MODE_BI, 0) == 0);

  setConfRet set = taos_set_config("{\"debugFlag\":\"131\"}");
  CHECK(set.retCode == SET_CONF_RET_SUCC);
  set = taos_set_config("{\"debugFlag\":\"131\"}");
  CHECK(set.retCode == SET_CONF_RET_ERR_ONLY_ONCE && set.retMsg[0] != 0);
}
