/* TDengine's C interface as Embudo's libtaos has it: the same names, layouts, numbers and ownership, so that programs written against
 * TDengine's own library compile and run unchanged.
 *
 * Conventions
 * - Functions that return int give 0, or a negative code whose low 16 bits are TDengine's error code. Functions that return a pointer give
 *   NULL on an error, which taos_errno(NULL) and taos_errstr(NULL) then tell for this thread.
 * - Handles (TAOS, TAOS_RES, TAOS_STMT, TAOS_STMT2, tmq_t, tmq_conf_t, tmq_list_t) that are NULL, freed or of another kind are found out:
 *   the call does nothing but tell.
 * - A connection may be used by several threads; results, statements and consumers by one at a time.
 * - What a result gives (rows, blocks, lengths, fields, texts) lives until its next fetch, at the longest until it is freed. */
#ifndef TAOS_H
#define TAOS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef DLL_EXPORT
#define DLL_EXPORT
#endif

typedef void   TAOS;
typedef void   TAOS_STMT;
typedef void   TAOS_STMT2;
typedef void   TAOS_RES;
typedef void **TAOS_ROW;

/* Types of columns. */
#define TSDB_DATA_TYPE_NULL       0
#define TSDB_DATA_TYPE_BOOL       1
#define TSDB_DATA_TYPE_TINYINT    2
#define TSDB_DATA_TYPE_SMALLINT   3
#define TSDB_DATA_TYPE_INT        4
#define TSDB_DATA_TYPE_BIGINT     5
#define TSDB_DATA_TYPE_FLOAT      6
#define TSDB_DATA_TYPE_DOUBLE     7
#define TSDB_DATA_TYPE_VARCHAR    8 /* bytes; BINARY is the same */
#define TSDB_DATA_TYPE_TIMESTAMP  9
#define TSDB_DATA_TYPE_NCHAR      10
#define TSDB_DATA_TYPE_UTINYINT   11
#define TSDB_DATA_TYPE_USMALLINT  12
#define TSDB_DATA_TYPE_UINT       13
#define TSDB_DATA_TYPE_UBIGINT    14
#define TSDB_DATA_TYPE_JSON       15
#define TSDB_DATA_TYPE_VARBINARY  16
#define TSDB_DATA_TYPE_DECIMAL    17 /* 19 to 38 digits */
#define TSDB_DATA_TYPE_BLOB       18
#define TSDB_DATA_TYPE_MEDIUMBLOB 19
#define TSDB_DATA_TYPE_BINARY     TSDB_DATA_TYPE_VARCHAR
#define TSDB_DATA_TYPE_GEOMETRY   20
#define TSDB_DATA_TYPE_DECIMAL64  21 /* up to 18 digits */
#define TSDB_DATA_TYPE_MAX        22

typedef enum {
  TSDB_OPTION_LOCALE = 0,
  TSDB_OPTION_CHARSET = 1,
  TSDB_OPTION_TIMEZONE = 2,
  TSDB_OPTION_CONFIGDIR = 3,
  TSDB_OPTION_SHELL_ACTIVITY_TIMER = 4,
  TSDB_OPTION_USE_ADAPTER = 5,
  TSDB_OPTION_DRIVER = 6,
  TSDB_MAX_OPTIONS = 7
} TSDB_OPTION;

typedef enum {
  TSDB_OPTION_CONNECTION_CLEAR = -1,
  TSDB_OPTION_CONNECTION_CHARSET = 0,
  TSDB_OPTION_CONNECTION_TIMEZONE = 1,
  TSDB_OPTION_CONNECTION_USER_IP = 2,
  TSDB_OPTION_CONNECTION_USER_APP = 3,
  TSDB_OPTION_CONNECTION_CONNECTOR_INFO = 4,
  TSDB_MAX_OPTIONS_CONNECTION = 5
} TSDB_OPTION_CONNECTION;

typedef enum {
  TSDB_SML_UNKNOWN_PROTOCOL = 0,
  TSDB_SML_LINE_PROTOCOL = 1,
  TSDB_SML_TELNET_PROTOCOL = 2,
  TSDB_SML_JSON_PROTOCOL = 3
} TSDB_SML_PROTOCOL_TYPE;

typedef enum {
  TSDB_SML_TIMESTAMP_NOT_CONFIGURED = 0,
  TSDB_SML_TIMESTAMP_HOURS = 1,
  TSDB_SML_TIMESTAMP_MINUTES = 2,
  TSDB_SML_TIMESTAMP_SECONDS = 3,
  TSDB_SML_TIMESTAMP_MILLI_SECONDS = 4,
  TSDB_SML_TIMESTAMP_MICRO_SECONDS = 5,
  TSDB_SML_TIMESTAMP_NANO_SECONDS = 6
} TSDB_SML_TIMESTAMP_TYPE;

typedef enum { TAOS_FIELD_COL = 1, TAOS_FIELD_TAG = 2, TAOS_FIELD_QUERY = 3, TAOS_FIELD_TBNAME = 4 } TAOS_FIELD_T;

typedef enum {
  SET_CONF_RET_SUCC = 0,
  SET_CONF_RET_ERR_PART = -1,
  SET_CONF_RET_ERR_INNER = -2,
  SET_CONF_RET_ERR_JSON_INVALID = -3,
  SET_CONF_RET_ERR_JSON_PARSE = -4,
  SET_CONF_RET_ERR_ONLY_ONCE = -5,
  SET_CONF_RET_ERR_TOO_LONG = -6
} SET_CONF_RET_CODE;

typedef enum {
  TAOS_NOTIFY_PASSVER = 0,
  TAOS_NOTIFY_WHITELIST_VER = 1,
  TAOS_NOTIFY_USER_DROPPED = 2,
  TAOS_NOTIFY_TIME_WHITELIST_VER = 3,
  TAOS_NOTIFY_TOKEN = 4
} TAOS_NOTIFY_TYPE;

typedef enum { TSDB_CONNECTION_INFO_USER = 0, TSDB_CONNECTION_INFO_TOKEN = 1 } TSDB_CONNECTION_INFO;

typedef enum { TAOS_CONN_MODE_BI = 0 } TAOS_CONN_MODE;

typedef enum {
  TSDB_SRV_STATUS_UNAVAILABLE = 0,
  TSDB_SRV_STATUS_NETWORK_OK = 1,
  TSDB_SRV_STATUS_SERVICE_OK = 2,
  TSDB_SRV_STATUS_SERVICE_DEGRADED = 3,
  TSDB_SRV_STATUS_EXTING = 4
} TSDB_SERVER_STATUS;

/* bytes: of a result the length as CREATE TABLE has it. */
typedef struct taosField {
  char    name[65];
  int8_t  type;
  int32_t bytes;
} TAOS_FIELD;

/* bytes: of a statement the length in storage. precision: digits of a decimal, or 0 ms, 1 us, 2 ns of a timestamp. */
typedef struct TAOS_FIELD_E {
  char    name[65];
  int8_t  type;
  uint8_t precision;
  uint8_t scale;
  int32_t bytes;
} TAOS_FIELD_E;

typedef struct TAOS_FIELD_ALL {
  char    name[65];
  int8_t  type;
  uint8_t precision;
  uint8_t scale;
  int32_t bytes;
  uint8_t field_type; /* TAOS_FIELD_T */
} TAOS_FIELD_ALL;

typedef TAOS_FIELD_ALL TAOS_FIELD_STB;

/* num values, buffer_length bytes apart (fixed types: their width apart). */
typedef struct TAOS_MULTI_BIND {
  int       buffer_type;
  void     *buffer;
  uintptr_t buffer_length;
  int32_t  *length;
  char     *is_null;
  int       num;
} TAOS_MULTI_BIND;

typedef struct setConfRet {
  SET_CONF_RET_CODE retCode;
  char              retMsg[1024];
} setConfRet;

typedef struct TAOS_VGROUP_HASH_INFO {
  int32_t  vgId;
  uint32_t hashBegin;
  uint32_t hashEnd;
} TAOS_VGROUP_HASH_INFO;

typedef struct TAOS_DB_ROUTE_INFO {
  int32_t                routeVersion;
  int16_t                hashPrefix;
  int16_t                hashSuffix;
  int8_t                 hashMethod;
  int32_t                vgNum;
  TAOS_VGROUP_HASH_INFO *vgHash; /* the caller's, to free() */
} TAOS_DB_ROUTE_INFO;

typedef struct OPTIONS {
  const char *keys[256];
  const char *values[256];
  uint16_t    count;
} OPTIONS;

/* code: 0 or an error's; for fetches the number of rows, 0 at the end, negative on an error. */
typedef void (*__taos_async_fn_t)(void *param, TAOS_RES *res, int code);
typedef void (*__taos_notify_fn_t)(void *param, void *ext, int type);
typedef void (*__taos_async_whitelist_fn_t)(void *param, int code, TAOS *taos, int numOfWhiteLists, uint64_t *pWhiteLists);
typedef void (*__taos_async_whitelist_dual_stack_fn_t)(void *param, int code, TAOS *taos, int numOfWhiteLists, char **pWhiteLists);

/* ---- library ---- */
DLL_EXPORT int         taos_init(void);
DLL_EXPORT void        taos_cleanup(void);
DLL_EXPORT int         taos_options(TSDB_OPTION option, const void *arg, ...);
DLL_EXPORT setConfRet  taos_set_config(const char *config);
DLL_EXPORT const char *taos_get_client_info(void);
DLL_EXPORT const char *getBuildInfo(void);
DLL_EXPORT const char *embudo_libtaos_version(void); /* there in this library only */
DLL_EXPORT const char *taos_data_type(int type);

/* ---- connections ----
 * ip: a host (port 0 and 6030: 6041, the WebSocket), several with commas, NULL (taos.cfg, else localhost), or a DSN: "embudo:///DIRECTORY"
 * is a database in this process. The environment variable EMBUDO_DSN, or embudoDsn in taos.cfg, leads all of them elsewhere. */
DLL_EXPORT TAOS *taos_connect(const char *ip, const char *user, const char *pass, const char *db, uint16_t port);
DLL_EXPORT TAOS *taos_connect_auth(const char *ip, const char *user, const char *auth, const char *db, uint16_t port);
DLL_EXPORT TAOS *taos_connect_totp(const char *ip, const char *user, const char *pass, const char *totp, const char *db, uint16_t port);
DLL_EXPORT TAOS *taos_connect_token(const char *ip, const char *token, const char *db, uint16_t port);
DLL_EXPORT int   taos_connect_test(const char *ip, const char *user, const char *pass, const char *totp, const char *db, uint16_t port);
DLL_EXPORT TAOS *taos_connect_with_dsn(const char *dsn);
DLL_EXPORT void  taos_set_option(OPTIONS *options, const char *key, const char *value);
DLL_EXPORT TAOS *taos_connect_with(const OPTIONS *options);
DLL_EXPORT void  taos_close(TAOS *taos);
DLL_EXPORT int   taos_options_connection(TAOS *taos, TSDB_OPTION_CONNECTION option, const void *arg, ...);
DLL_EXPORT int   taos_select_db(TAOS *taos, const char *db);
DLL_EXPORT void  taos_reset_current_db(TAOS *taos);
DLL_EXPORT int   taos_get_current_db(TAOS *taos, char *database, int len, int *required);
DLL_EXPORT const char *taos_get_server_info(TAOS *taos);
DLL_EXPORT int   taos_get_connection_info(TAOS *taos, TSDB_CONNECTION_INFO info, char *buffer, int *len);
DLL_EXPORT int   taos_connect_is_alive(TAOS *taos);
DLL_EXPORT int   taos_validate_connection(TAOS *taos);
DLL_EXPORT int   taos_set_conn_mode(TAOS *taos, int mode, int value);
DLL_EXPORT void  taos_set_hb_quit(int8_t hbQuitByte);
DLL_EXPORT int   taos_set_notify_cb(TAOS *taos, __taos_notify_fn_t fp, void *param, int type);
DLL_EXPORT void  taos_fetch_whitelist_a(TAOS *taos, __taos_async_whitelist_fn_t fp, void *param);
DLL_EXPORT void  taos_fetch_whitelist_dual_stack_a(TAOS *taos, __taos_async_whitelist_dual_stack_fn_t fp, void *param);
DLL_EXPORT void  taos_fetch_ip_whitelist_a(TAOS *taos, __taos_async_whitelist_dual_stack_fn_t fp, void *param);
DLL_EXPORT void  taos_fetch_datetime_whitelist_a(TAOS *taos, __taos_async_whitelist_dual_stack_fn_t fp, void *param);
DLL_EXPORT TSDB_SERVER_STATUS taos_check_server_status(const char *fqdn, int port, char *details, int maxlen);
DLL_EXPORT int   taos_register_instance(const char *id, const char *type, const char *desc, int32_t expire);
DLL_EXPORT int   taos_list_instances(const char *filter, char ***list, int32_t *count);
DLL_EXPORT void  taos_free_instances(char ***list, int32_t count);

/* ---- statements by their text ----
 * Results are the caller's, to be freed with taos_free_result; they tell of errors. */
DLL_EXPORT TAOS_RES *taos_query(TAOS *taos, const char *sql);
DLL_EXPORT TAOS_RES *taos_query_with_reqid(TAOS *taos, const char *sql, int64_t reqId);
DLL_EXPORT void      taos_query_a(TAOS *taos, const char *sql, __taos_async_fn_t fp, void *param);
DLL_EXPORT void      taos_query_a_with_reqid(TAOS *taos, const char *sql, __taos_async_fn_t fp, void *param, int64_t reqid);
DLL_EXPORT void      taos_stop_query(TAOS_RES *res);
DLL_EXPORT void      taos_kill_query(TAOS *taos);
DLL_EXPORT int       taos_validate_sql(TAOS *taos, const char *sql);
DLL_EXPORT int       taos_errno(TAOS_RES *res);
DLL_EXPORT const char *taos_errstr(TAOS_RES *res);
DLL_EXPORT void      taos_free_result(TAOS_RES *res);

/* ---- results ---- */
DLL_EXPORT TAOS_ROW      taos_fetch_row(TAOS_RES *res);
DLL_EXPORT int           taos_fetch_block(TAOS_RES *res, TAOS_ROW *rows);
DLL_EXPORT int           taos_fetch_block_s(TAOS_RES *res, int *numOfRows, TAOS_ROW *rows);
DLL_EXPORT int           taos_fetch_raw_block(TAOS_RES *res, int *numOfRows, void **pData);
DLL_EXPORT void          taos_fetch_rows_a(TAOS_RES *res, __taos_async_fn_t fp, void *param);
DLL_EXPORT void          taos_fetch_raw_block_a(TAOS_RES *res, __taos_async_fn_t fp, void *param);
DLL_EXPORT const void   *taos_get_raw_block(TAOS_RES *res);
DLL_EXPORT TAOS_ROW     *taos_result_block(TAOS_RES *res);
DLL_EXPORT int          *taos_get_column_data_offset(TAOS_RES *res, int columnIndex);
DLL_EXPORT int          *taos_fetch_lengths(TAOS_RES *res);
DLL_EXPORT TAOS_FIELD   *taos_fetch_fields(TAOS_RES *res);
DLL_EXPORT TAOS_FIELD_E *taos_fetch_fields_e(TAOS_RES *res);
DLL_EXPORT int           taos_field_count(TAOS_RES *res);
DLL_EXPORT int           taos_num_fields(TAOS_RES *res);
DLL_EXPORT int           taos_affected_rows(TAOS_RES *res);
DLL_EXPORT int64_t       taos_affected_rows64(TAOS_RES *res);
DLL_EXPORT int           taos_result_precision(TAOS_RES *res);
DLL_EXPORT bool          taos_is_update_query(TAOS_RES *res);
DLL_EXPORT bool          taos_is_null(TAOS_RES *res, int32_t row, int32_t col);
DLL_EXPORT int           taos_is_null_by_column(TAOS_RES *res, int columnIndex, bool result[], int *rows);
DLL_EXPORT int           taos_print_row(char *str, TAOS_ROW row, TAOS_FIELD *fields, int num_fields);
DLL_EXPORT int           taos_print_row_with_size(char *str, uint32_t size, TAOS_ROW row, TAOS_FIELD *fields, int num_fields);

/* ---- tables ---- */
DLL_EXPORT int taos_load_table_info(TAOS *taos, const char *tableNameList);
DLL_EXPORT int taos_get_table_vgId(TAOS *taos, const char *db, const char *table, int *vgId);
DLL_EXPORT int taos_get_tables_vgId(TAOS *taos, const char *db, const char *table[], int tableNum, int *vgId);
DLL_EXPORT int taos_get_db_route_info(TAOS *taos, const char *db, TAOS_DB_ROUTE_INFO *dbInfo);
DLL_EXPORT int taos_write_raw_block(TAOS *taos, int numOfRows, char *pData, const char *tbname);
DLL_EXPORT int taos_write_raw_block_with_reqid(TAOS *taos, int numOfRows, char *pData, const char *tbname, int64_t reqid);
DLL_EXPORT int taos_write_raw_block_with_fields(TAOS *taos, int rows, char *pData, const char *tbname, TAOS_FIELD *fields, int numFields);
DLL_EXPORT int taos_write_raw_block_with_fields_with_reqid(TAOS *taos, int rows, char *pData, const char *tbname, TAOS_FIELD *fields,
                                                           int numFields, int64_t reqid);

/* ---- line protocols ---- */
DLL_EXPORT TAOS_RES *taos_schemaless_insert(TAOS *taos, char *lines[], int numLines, int protocol, int precision);
DLL_EXPORT TAOS_RES *taos_schemaless_insert_with_reqid(TAOS *taos, char *lines[], int numLines, int protocol, int precision, int64_t reqid);
DLL_EXPORT TAOS_RES *taos_schemaless_insert_ttl(TAOS *taos, char *lines[], int numLines, int protocol, int precision, int32_t ttl);
DLL_EXPORT TAOS_RES *taos_schemaless_insert_ttl_with_reqid(TAOS *taos, char *lines[], int numLines, int protocol, int precision, int32_t ttl,
                                                           int64_t reqid);
DLL_EXPORT TAOS_RES *taos_schemaless_insert_ttl_with_reqid_tbname_key(TAOS *taos, char *lines[], int numLines, int protocol, int precision,
                                                                      int32_t ttl, int64_t reqid, char *tbnameKey);
DLL_EXPORT TAOS_RES *taos_schemaless_insert_raw(TAOS *taos, char *lines, int len, int32_t *totalRows, int protocol, int precision);
DLL_EXPORT TAOS_RES *taos_schemaless_insert_raw_with_reqid(TAOS *taos, char *lines, int len, int32_t *totalRows, int protocol, int precision,
                                                           int64_t reqid);
DLL_EXPORT TAOS_RES *taos_schemaless_insert_raw_ttl(TAOS *taos, char *lines, int len, int32_t *totalRows, int protocol, int precision,
                                                    int32_t ttl);
DLL_EXPORT TAOS_RES *taos_schemaless_insert_raw_ttl_with_reqid(TAOS *taos, char *lines, int len, int32_t *totalRows, int protocol,
                                                               int precision, int32_t ttl, int64_t reqid);
DLL_EXPORT TAOS_RES *taos_schemaless_insert_raw_ttl_with_reqid_tbname_key(TAOS *taos, char *lines, int len, int32_t *totalRows, int protocol,
                                                                          int precision, int32_t ttl, int64_t reqid, char *tbnameKey);

/* ---- prepared statements, first kind ----
 * init, prepare, { set_tbname[_tags], bind, add_batch }, execute, close. */
typedef struct TAOS_STMT_OPTIONS {
  int64_t reqId;
  bool    singleStbInsert;
  bool    singleTableBindOnce;
} TAOS_STMT_OPTIONS;

DLL_EXPORT TAOS_STMT  *taos_stmt_init(TAOS *taos);
DLL_EXPORT TAOS_STMT  *taos_stmt_init_with_reqid(TAOS *taos, int64_t reqid);
DLL_EXPORT TAOS_STMT  *taos_stmt_init_with_options(TAOS *taos, TAOS_STMT_OPTIONS *options);
DLL_EXPORT int         taos_stmt_prepare(TAOS_STMT *stmt, const char *sql, unsigned long length);
DLL_EXPORT int         taos_stmt_set_tbname(TAOS_STMT *stmt, const char *name);
DLL_EXPORT int         taos_stmt_set_sub_tbname(TAOS_STMT *stmt, const char *name);
DLL_EXPORT int         taos_stmt_set_tags(TAOS_STMT *stmt, TAOS_MULTI_BIND *tags);
DLL_EXPORT int         taos_stmt_set_tbname_tags(TAOS_STMT *stmt, const char *name, TAOS_MULTI_BIND *tags);
DLL_EXPORT int         taos_stmt_get_tag_fields(TAOS_STMT *stmt, int *fieldNum, TAOS_FIELD_E **fields);
DLL_EXPORT int         taos_stmt_get_col_fields(TAOS_STMT *stmt, int *fieldNum, TAOS_FIELD_E **fields);
DLL_EXPORT void        taos_stmt_reclaim_fields(TAOS_STMT *stmt, TAOS_FIELD_E *fields);
DLL_EXPORT int         taos_stmt_is_insert(TAOS_STMT *stmt, int *insert);
DLL_EXPORT int         taos_stmt_num_params(TAOS_STMT *stmt, int *nums);
DLL_EXPORT int         taos_stmt_get_param(TAOS_STMT *stmt, int idx, int *type, int *bytes);
DLL_EXPORT int         taos_stmt_bind_param(TAOS_STMT *stmt, TAOS_MULTI_BIND *bind);
DLL_EXPORT int         taos_stmt_bind_param_batch(TAOS_STMT *stmt, TAOS_MULTI_BIND *bind);
DLL_EXPORT int         taos_stmt_bind_single_param_batch(TAOS_STMT *stmt, TAOS_MULTI_BIND *bind, int colIdx);
DLL_EXPORT int         taos_stmt_add_batch(TAOS_STMT *stmt);
DLL_EXPORT int         taos_stmt_execute(TAOS_STMT *stmt);
DLL_EXPORT TAOS_RES   *taos_stmt_use_result(TAOS_STMT *stmt); /* ends with the statement; freeing it before is allowed */
DLL_EXPORT int         taos_stmt_affected_rows(TAOS_STMT *stmt);
DLL_EXPORT int         taos_stmt_affected_rows_once(TAOS_STMT *stmt);
DLL_EXPORT char       *taos_stmt_errstr(TAOS_STMT *stmt);
DLL_EXPORT int         taos_stmt_close(TAOS_STMT *stmt);

/* ---- prepared statements, second kind ---- */
typedef struct TAOS_STMT2_OPTION {
  int64_t           reqid;
  bool              singleStbInsert;
  bool              singleTableBindOnce;
  __taos_async_fn_t asyncExecFn; /* with it taos_stmt2_exec works on another thread and calls back */
  void             *userdata;
} TAOS_STMT2_OPTION;

/* Values of variable types lie without gaps, length[i] bytes each. is_null[i]: 0 a value, 1 NULL, 2 leave what the row has. */
typedef struct TAOS_STMT2_BIND {
  int      buffer_type;
  void    *buffer;
  int32_t *length;
  char    *is_null;
  int      num;
} TAOS_STMT2_BIND;

typedef struct TAOS_STMT2_BINDV {
  int               count; /* tables */
  char            **tbnames;
  TAOS_STMT2_BIND **tags;
  TAOS_STMT2_BIND **bind_cols;
} TAOS_STMT2_BINDV;

typedef struct TAOS_STMT2_COLUMN_BIND {
  int      buffer_type;
  void    *buffer;
  int32_t *length;
  char    *is_null;
} TAOS_STMT2_COLUMN_BIND;

typedef struct TAOS_STMT2_COLUMN_BINDV {
  int                     num_columns;
  int                     num_rows;
  int                     num_tables;
  TAOS_STMT2_COLUMN_BIND *columns;
} TAOS_STMT2_COLUMN_BINDV;

DLL_EXPORT TAOS_STMT2 *taos_stmt2_init(TAOS *taos, TAOS_STMT2_OPTION *option);
DLL_EXPORT int         taos_stmt2_prepare(TAOS_STMT2 *stmt, const char *sql, unsigned long length);
DLL_EXPORT int         taos_stmt2_bind_param(TAOS_STMT2 *stmt, TAOS_STMT2_BINDV *bindv, int32_t col_idx);
DLL_EXPORT int         taos_stmt2_bind_param_a(TAOS_STMT2 *stmt, TAOS_STMT2_BINDV *bindv, int32_t col_idx, __taos_async_fn_t fp, void *param);
DLL_EXPORT int         taos_stmt2_bind_param_column(TAOS_STMT2 *stmt, TAOS_STMT2_COLUMN_BINDV *bindv);
DLL_EXPORT int         taos_stmt2_exec(TAOS_STMT2 *stmt, int *affected_rows);
DLL_EXPORT TAOS_RES   *taos_stmt2_result(TAOS_STMT2 *stmt); /* ends with the statement; freeing it before is allowed */
DLL_EXPORT int         taos_stmt2_is_insert(TAOS_STMT2 *stmt, int *insert);
DLL_EXPORT int         taos_stmt2_get_fields(TAOS_STMT2 *stmt, int *count, TAOS_FIELD_ALL **fields);
DLL_EXPORT void        taos_stmt2_free_fields(TAOS_STMT2 *stmt, TAOS_FIELD_ALL *fields);
DLL_EXPORT char       *taos_stmt2_error(TAOS_STMT2 *stmt);
DLL_EXPORT int         taos_stmt2_close(TAOS_STMT2 *stmt);

/* ---- subscriptions ---- */
typedef struct tmq_t      tmq_t;
typedef struct tmq_conf_t tmq_conf_t;
typedef struct tmq_list_t tmq_list_t;

typedef enum { TMQ_CONF_UNKNOWN = -2, TMQ_CONF_INVALID = -1, TMQ_CONF_OK = 0 } tmq_conf_res_t;
typedef enum { TMQ_RES_INVALID = -1, TMQ_RES_DATA = 1, TMQ_RES_TABLE_META = 2, TMQ_RES_METADATA = 3, TMQ_RES_RAWDATA = 4 } tmq_res_t;

typedef struct tmq_topic_assignment {
  int32_t vgId;
  int64_t currentOffset;
  int64_t begin;
  int64_t end;
} tmq_topic_assignment;

typedef struct tmq_raw_data {
  void    *raw;
  uint32_t raw_len;
  uint16_t raw_type;
} tmq_raw_data;

typedef void(tmq_commit_cb)(tmq_t *tmq, int32_t code, void *param);

DLL_EXPORT tmq_conf_t    *tmq_conf_new(void);
DLL_EXPORT tmq_conf_res_t tmq_conf_set(tmq_conf_t *conf, const char *key, const char *value);
DLL_EXPORT void           tmq_conf_destroy(tmq_conf_t *conf);
DLL_EXPORT void           tmq_conf_set_auto_commit_cb(tmq_conf_t *conf, tmq_commit_cb *cb, void *param);

DLL_EXPORT tmq_list_t *tmq_list_new(void);
DLL_EXPORT int32_t     tmq_list_append(tmq_list_t *list, const char *topic);
DLL_EXPORT void        tmq_list_destroy(tmq_list_t *list);
DLL_EXPORT int32_t     tmq_list_get_size(const tmq_list_t *list);
DLL_EXPORT char      **tmq_list_to_c_array(const tmq_list_t *list);

DLL_EXPORT tmq_t    *tmq_consumer_new(tmq_conf_t *conf, char *errstr, int32_t errstrLen);
DLL_EXPORT int32_t   tmq_subscribe(tmq_t *tmq, const tmq_list_t *topics);
DLL_EXPORT int32_t   tmq_unsubscribe(tmq_t *tmq);
DLL_EXPORT int32_t   tmq_subscription(tmq_t *tmq, tmq_list_t **topics);
DLL_EXPORT TAOS_RES *tmq_consumer_poll(tmq_t *tmq, int64_t timeout); /* read like any result, freed with taos_free_result */
DLL_EXPORT int32_t   tmq_consumer_close(tmq_t *tmq);
DLL_EXPORT int32_t   tmq_commit_sync(tmq_t *tmq, const TAOS_RES *msg);
DLL_EXPORT void      tmq_commit_async(tmq_t *tmq, const TAOS_RES *msg, tmq_commit_cb *cb, void *param);
DLL_EXPORT int32_t   tmq_commit_offset_sync(tmq_t *tmq, const char *topic, int32_t vgId, int64_t offset);
DLL_EXPORT void      tmq_commit_offset_async(tmq_t *tmq, const char *topic, int32_t vgId, int64_t offset, tmq_commit_cb *cb, void *param);
DLL_EXPORT int32_t   tmq_get_topic_assignment(tmq_t *tmq, const char *topic, tmq_topic_assignment **assignment, int32_t *numOfAssignment);
DLL_EXPORT void      tmq_free_assignment(tmq_topic_assignment *assignment);
DLL_EXPORT int32_t   tmq_offset_seek(tmq_t *tmq, const char *topic, int32_t vgId, int64_t offset);
DLL_EXPORT int64_t   tmq_position(tmq_t *tmq, const char *topic, int32_t vgId);
DLL_EXPORT int64_t   tmq_committed(tmq_t *tmq, const char *topic, int32_t vgId);
DLL_EXPORT TAOS     *tmq_get_connect(tmq_t *tmq);

DLL_EXPORT const char *tmq_get_table_name(TAOS_RES *res);
DLL_EXPORT tmq_res_t   tmq_get_res_type(TAOS_RES *res);
DLL_EXPORT const char *tmq_get_topic_name(TAOS_RES *res);
DLL_EXPORT const char *tmq_get_db_name(TAOS_RES *res);
DLL_EXPORT int32_t     tmq_get_vgroup_id(TAOS_RES *res);
DLL_EXPORT int64_t     tmq_get_vgroup_offset(TAOS_RES *res);
DLL_EXPORT const char *tmq_err2str(int32_t code);

DLL_EXPORT int32_t tmq_get_raw(TAOS_RES *res, tmq_raw_data *raw);
DLL_EXPORT int32_t tmq_write_raw(TAOS *taos, tmq_raw_data raw);
DLL_EXPORT void    tmq_free_raw(tmq_raw_data raw);
DLL_EXPORT char   *tmq_get_json_meta(TAOS_RES *res);
DLL_EXPORT void    tmq_free_json_meta(char *jsonMeta);

#ifdef __cplusplus
}
#endif

#endif
