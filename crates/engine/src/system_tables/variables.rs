//! Settings as TDengine names them, with the values that Embudo acts by. What Embudo has no like of is not listed.

use embudo_types::{SERVER_VERSION, Value, Zone};

use super::nodes::{ENDPOINT, Push};
use crate::row_set::text;

/// Name, value and scope: `both`, `server` or `client`.
pub(crate) type Variable = (&'static str, String, &'static str);

/// Settings that never change.
const FIXED: &[(&str, &str, &str)] = &[
    ("secondEp", ENDPOINT, "both"),
    ("fqdn", "localhost", "server"),
    ("serverPort", "6030", "server"),
    ("numOfMnodes", "1", "server"),
    ("supportVnodes", "1024", "server"),
    ("statusInterval", "1", "server"),
    ("locale", "en_US.UTF-8", "both"),
    ("charset", "UTF-8", "both"),
    ("encryptAlgorithm", "none", "server"),
    ("countAlwaysReturnValue", "1", "both"),
    ("compareAsStrInGreatest", "1", "client"),
    ("keepColumnName", "0", "client"),
    ("multiResultFunctionStarReturnTags", "0", "client"),
    ("maxInsertBatchRows", "1000000", "client"),
    ("minIntervalTime", "1", "client"),
    ("minSlidingTime", "1", "client"),
    ("querySmaOptimize", "0", "client"),
    ("queryPolicy", "1", "client"),
    ("smlAutoChildTableNameDelimiter", "", "client"),
    ("smlChildTableName", "", "client"),
    ("smlDot2Underline", "1", "client"),
    ("smlTagName", "_tag_null", "client"),
    ("smlTsDefaultName", "_ts", "client"),
    ("tmqMaxTopicNum", "20", "server"),
    ("ttlChangeOnWrite", "0", "server"),
    ("ttlPushInterval", "10", "server"),
    ("ttlUnit", "86400", "server"),
    ("walFsyncDataSizeLimit", "100", "server"),
    ("telemetryReporting", "0", "server"),
    ("audit", "0", "server"),
    ("monitor", "0", "server"),
];

/// Every setting, in the order of names.
pub(crate) fn variables() -> Vec<Variable> {
    let mut variables: Vec<Variable> = FIXED.iter().map(|&(name, value, scope)| (name, value.to_owned(), scope)).collect();
    variables.extend([("firstEp", ENDPOINT.to_owned(), "both"), ("version", SERVER_VERSION.to_owned(), "both"), ("timezone", Zone::system().name(), "both")]);
    variables.sort_unstable_by_key(|variable| variable.0);
    variables
}

/// `ins_configs`: the cluster's.
pub(crate) fn configs(push: Push<'_>) {
    variables().into_iter().filter(|(.., scope)| *scope != "client").for_each(|(name, value, _)| push(vec![text(name), text(value)]));
}

/// `ins_dnode_variables`.
pub(crate) fn dnode_variables(push: Push<'_>) {
    variables()
        .into_iter()
        .filter(|(.., scope)| *scope != "client")
        .for_each(|(name, value, scope)| push(vec![Value::Int(1), text(name), text(value), text(scope)]));
}
