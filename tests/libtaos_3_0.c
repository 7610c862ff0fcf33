/* A client library with the functions of TDengine 3.0 and no others: what is asked of it goes to the library whose path TARGET has. With it
 * the native driver shows that it does with an old library. FAILING is the name of a function that answers errors, VERSION what it says of
 * itself. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <taos.h>

#ifndef FAILING
#define FAILING ""
#endif
#ifndef VERSION
#define VERSION "3.0.0.1"
#endif
#define CODE_OF_FAILURE ((int)0x8000000Bu)

static void *function_of(const char *name) {
  static void *library;
  if (library == NULL) library = dlopen(TARGET, RTLD_NOW | RTLD_LOCAL);
  void *function = library == NULL ? NULL : dlsym(library, name);
  if (function == NULL) {
    fprintf(stderr, "%s: %s\n", name, dlerror());
    abort();
  }
  return function;
}

static int fails(const char *name) { return strcmp(FAILING, name) == 0; }

/* A function that gives something, and what it gives when it fails. */
#define GIVES(type, failed, name, parameters, arguments)             \
  type name parameters {                                             \
    static type(*function) parameters;                               \
    if (function == NULL) *(void **)&function = function_of(#name);  \
    return fails(#name) ? (failed) : function arguments;             \
  }
#define CODE(name, parameters, arguments) GIVES(int, CODE_OF_FAILURE, name, parameters, arguments)
#define HANDLE(name, parameters, arguments) GIVES(void *, NULL, name, parameters, arguments)
#define NOTHING(name, parameters, arguments)                         \
  void name parameters {                                             \
    static void(*function) parameters;                               \
    if (function == NULL) *(void **)&function = function_of(#name);  \
    function arguments;                                              \
  }

const char *taos_get_client_info(void) { return VERSION; }

int taos_options(TSDB_OPTION option, const void *arg, ...) {
  static int (*function)(TSDB_OPTION, const void *, ...);
  if (function == NULL) *(void **)&function = function_of("taos_options");
  return fails("taos_options") ? CODE_OF_FAILURE : function(option, arg);
}

HANDLE(taos_connect, (const char *ip, const char *user, const char *pass, const char *db, uint16_t port), (ip, user, pass, db, port))
NOTHING(taos_close, (TAOS * taos), (taos))
NOTHING(taos_reset_current_db, (TAOS * taos), (taos))
GIVES(const char *, NULL, taos_get_server_info, (TAOS * taos), (taos))
CODE(taos_validate_sql, (TAOS * taos, const char *sql), (taos, sql))
HANDLE(taos_query, (TAOS * taos, const char *sql), (taos, sql))
NOTHING(taos_kill_query, (TAOS * taos), (taos))
CODE(taos_errno, (TAOS_RES * res), (res))
GIVES(const char *, NULL, taos_errstr, (TAOS_RES * res), (res))
NOTHING(taos_free_result, (TAOS_RES * res), (res))
GIVES(int, 0, taos_field_count, (TAOS_RES * res), (res))
GIVES(TAOS_FIELD *, NULL, taos_fetch_fields, (TAOS_RES * res), (res))
GIVES(int, 0, taos_result_precision, (TAOS_RES * res), (res))
GIVES(int, 0, taos_affected_rows, (TAOS_RES * res), (res))
CODE(taos_fetch_raw_block, (TAOS_RES * res, int *rows, void **data), (res, rows, data))
HANDLE(taos_schemaless_insert, (TAOS * taos, char *lines[], int count, int protocol, int precision), (taos, lines, count, protocol, precision))

HANDLE(taos_stmt_init, (TAOS * taos), (taos))
CODE(taos_stmt_prepare, (TAOS_STMT * stmt, const char *sql, unsigned long length), (stmt, sql, length))
CODE(taos_stmt_set_tbname, (TAOS_STMT * stmt, const char *name), (stmt, name))
CODE(taos_stmt_set_tags, (TAOS_STMT * stmt, TAOS_MULTI_BIND *tags), (stmt, tags))
CODE(taos_stmt_get_tag_fields, (TAOS_STMT * stmt, int *count, TAOS_FIELD_E **fields), (stmt, count, fields))
CODE(taos_stmt_get_col_fields, (TAOS_STMT * stmt, int *count, TAOS_FIELD_E **fields), (stmt, count, fields))
CODE(taos_stmt_is_insert, (TAOS_STMT * stmt, int *insert), (stmt, insert))
CODE(taos_stmt_bind_param, (TAOS_STMT * stmt, TAOS_MULTI_BIND *bind), (stmt, bind))
CODE(taos_stmt_bind_param_batch, (TAOS_STMT * stmt, TAOS_MULTI_BIND *bind), (stmt, bind))
CODE(taos_stmt_add_batch, (TAOS_STMT * stmt), (stmt))
CODE(taos_stmt_execute, (TAOS_STMT * stmt), (stmt))
HANDLE(taos_stmt_use_result, (TAOS_STMT * stmt), (stmt))
GIVES(int, 0, taos_stmt_affected_rows_once, (TAOS_STMT * stmt), (stmt))
GIVES(char *, NULL, taos_stmt_errstr, (TAOS_STMT * stmt), (stmt))
CODE(taos_stmt_close, (TAOS_STMT * stmt), (stmt))

GIVES(tmq_conf_t *, NULL, tmq_conf_new, (void), ())
GIVES(tmq_conf_res_t, TMQ_CONF_INVALID, tmq_conf_set, (tmq_conf_t * conf, const char *key, const char *value), (conf, key, value))
NOTHING(tmq_conf_destroy, (tmq_conf_t * conf), (conf))
GIVES(tmq_list_t *, NULL, tmq_list_new, (void), ())
CODE(tmq_list_append, (tmq_list_t * list, const char *topic), (list, topic))
NOTHING(tmq_list_destroy, (tmq_list_t * list), (list))
GIVES(tmq_t *, NULL, tmq_consumer_new, (tmq_conf_t * conf, char *text, int32_t length), (conf, text, length))
CODE(tmq_subscribe, (tmq_t * tmq, const tmq_list_t *topics), (tmq, topics))
CODE(tmq_unsubscribe, (tmq_t * tmq), (tmq))
HANDLE(tmq_consumer_poll, (tmq_t * tmq, int64_t timeout), (tmq, timeout))
CODE(tmq_consumer_close, (tmq_t * tmq), (tmq))
CODE(tmq_commit_sync, (tmq_t * tmq, const TAOS_RES *msg), (tmq, msg))
GIVES(const char *, NULL, tmq_err2str, (int32_t code), (code))
GIVES(const char *, NULL, tmq_get_table_name, (TAOS_RES * res), (res))
GIVES(tmq_res_t, TMQ_RES_INVALID, tmq_get_res_type, (TAOS_RES * res), (res))
GIVES(const char *, NULL, tmq_get_topic_name, (TAOS_RES * res), (res))
GIVES(const char *, NULL, tmq_get_db_name, (TAOS_RES * res), (res))
GIVES(int32_t, 0, tmq_get_vgroup_id, (TAOS_RES * res), (res))
GIVES(char *, NULL, tmq_get_json_meta, (TAOS_RES * res), (res))
NOTHING(tmq_free_json_meta, (char *json), (json))
CODE(tmq_write_raw, (TAOS * taos, tmq_raw_data raw), (taos, raw))
