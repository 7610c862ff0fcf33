"""Words of TDengine's grammar that are names only in backticks. The pseudo-columns (``tbname``, ``_wstart``, ...) are left
out: in backticks they would be ordinary columns."""

from __future__ import annotations

__all__ = ["RESERVED_WORDS_TDENGINE"]

_WORDS = """
    account accounts add aggregate alive all alter analyze and anti any apps arbgroups as asc asof at_once balance
    batch_scan between bigint binary blob bnode bnodes bool buffer bufsize bwlimit by cache cachemodel cachesize case
    cast child client_version cluster column comment comp compact compacts compress connection connections conns
    consumer consumers contains count count_window create current_user database databases dbs decimal delete delete_mark
    desc describe distinct distributed dnode dnodes double drop duration else enable encode encrypt_algorithm
    encrypt_key encryptions end event_window every exists expired explain false file fill fill_history first float flush
    for force from full function functions geometry grant grants group hash_join having host if ignore import in index
    indexes inner insert int integer interval into is jlimit join json keep keep_time_offset key kill language last
    last_row leader left level licences like limit linear local logs machines match max_delay maxrows mediumblob merge
    meta minrows minus mnode mnodes modify modules nchar next nmatch no_batch_scan none normal not now null null_f nulls
    offset on only or order outer outputtype pages pagesize para_tables_sort partition partition_first pass pause port
    pps precision prev primary privileges qnode qnodes qtime queries query range ratio read recursive redistribute
    rename replace replica reset restore resume retentions revoke right rollup row s3_chunksize s3_compact s3_keeplocal
    s3migrate schemaless scores select semi server_status server_version session set show single_stable skip_tsma
    sliding slimit sma smalldata_ts_sort smallint snode snodes soffset sort_for_group split stable stables start state
    state_window storage stream streams strict stt_trigger subscribe subscriptions subtable sysinfo system table
    table_prefix table_suffix tables tag tags then timestamp timezone tinyint to today topic topics transaction
    transactions trigger trim true tsdb_pagesize tseries tsma tsmas ttl union unsafe unsigned untreated update use user
    users using value value_f values varbinary varchar variables verbose vgroup vgroups view views vnode vnodes wal
    wal_fsync_period wal_level wal_retention_period wal_retention_size wal_roll_period wal_segment_size watermark when
    where window window_close window_offset with write
"""

RESERVED_WORDS_TDENGINE = frozenset(_WORDS.split())
