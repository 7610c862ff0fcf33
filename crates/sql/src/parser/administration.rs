//! Users, rights, functions, topics, streams and the cluster (spec/sql.md 3.8, 3.9, 3.11, 8.1, 8.3).

use embudo_types::{DataType, Error, Result, code};

use super::{MAX_TABLE_NAME, Parser};
use crate::{
    ast::{
        Statement,
        administration::{
            AlterUser, ClusterStatement, CreateFunction, CreateStream, CreateToken, CreateUser, DnodeTarget, DropStream, Grant, NodeRole, Privilege,
            PrivilegeLevel, Privileges, ResumeStream, StreamColumn, StreamOptions, StreamTag, StreamTrigger, TokenLimit, TokenOptions, TopicMeta, TopicSource,
        },
    },
    lexer::{self, Token, TokenKind},
};

const MAX_USER_NAME: usize = 23;
const MAX_PASSWORD: usize = 128;
const MAX_TOKEN_NAME: usize = 31;

fn node_role(word: &str) -> NodeRole {
    match word {
        "mnode" => NodeRole::Mnode,
        "qnode" => NodeRole::Qnode,
        "snode" => NodeRole::Snode,
        "vnode" => NodeRole::Vnode,
        _ => NodeRole::Bnode,
    }
}

impl Parser<'_> {
    /// Puts the cursor back on a token.
    pub(super) fn rewind(&mut self, token: Token) {
        self.token = token;
    }

    // ---- users ----

    pub(super) fn user_name(&mut self) -> Result<String> {
        let start = self.token.start;
        let name = self.name(usize::MAX)?;
        if name.len() > MAX_USER_NAME { Err(Error::new(code::NAME_OR_PASSWORD_TOO_LONG).at(start)) } else { Ok(name) }
    }

    fn password(&mut self) -> Result<String> {
        let start = self.token.start;
        let password = self.string()?;
        let refused = if password.is_empty() {
            code::PASSWORD_CAN_NOT_BE_EMPTY
        } else if password.len() > MAX_PASSWORD {
            code::NAME_OR_PASSWORD_TOO_LONG
        } else if password.contains([' ', '\'', '"', '`', '\\']) {
            code::INVALID_PASSWORD_2648
        } else {
            return Ok(password);
        };
        Err(Error::new(refused).at(start))
    }

    pub(super) fn create_user(&mut self) -> Result<Statement> {
        let name = self.user_name()?;
        self.expect_word("pass")?;
        let password = self.password()?;
        let (mut enable, mut sysinfo, mut create_databases, mut hosts) = (None, None, None, Vec::new());
        let (mut totp_seed, mut token_limit) = (None, None);
        loop {
            if self.eat_word("sysinfo") {
                sysinfo = Some(self.integer()?);
            } else if self.eat_word("createdb") {
                create_databases = Some(self.integer()?);
            } else if self.eat_word("enable") {
                enable = Some(self.integer()?);
            } else if self.eat_word("host") {
                hosts = self.comma_separated(Self::string)?;
            } else if self.eat_word("totpseed") {
                totp_seed = Some(self.string()?);
            } else if self.eat_word("allow_token_num") {
                token_limit = Some(self.token_limit()?);
            } else {
                return Ok(Statement::CreateUser(CreateUser { name, password, enable, sysinfo, create_databases, hosts, totp_seed, token_limit }));
            }
        }
    }

    pub(super) fn alter_user(&mut self) -> Result<Statement> {
        let name = self.user_name()?;
        let word = self.word();
        if !matches!(word, "pass" | "enable" | "sysinfo" | "createdb" | "add" | "drop" | "totpseed" | "allow_token_num") {
            return Err(self.unexpected());
        }
        self.advance();
        let change = match word {
            "pass" => AlterUser::Password(self.password()?),
            "enable" => AlterUser::Enable(self.integer()?),
            "sysinfo" => AlterUser::Sysinfo(self.integer()?),
            "createdb" => AlterUser::CreateDatabases(self.integer()?),
            "totpseed" => AlterUser::TotpSeed(self.string()?),
            "allow_token_num" => AlterUser::TokenLimit(self.token_limit()?),
            _ => {
                self.expect_word("host")?;
                let hosts = self.comma_separated(Self::string)?;
                if word == "add" { AlterUser::AddHosts(hosts) } else { AlterUser::DropHosts(hosts) }
            }
        };
        Ok(Statement::AlterUser { name, change })
    }

    fn token_limit(&mut self) -> Result<TokenLimit> {
        if self.eat_word("default") {
            Ok(TokenLimit::Default)
        } else if self.eat_word("unlimited") {
            Ok(TokenLimit::Unlimited)
        } else {
            self.integer().map(TokenLimit::Number)
        }
    }

    /// After CREATE `TOTP_SECRET` (`preposition` FOR) or DROP `TOTP_SECRET` (FROM).
    pub(super) fn totp_user(&mut self, preposition: &str) -> Result<String> {
        self.expect_word(preposition)?;
        self.expect_word("user")?;
        self.user_name()
    }

    pub(super) fn create_token(&mut self) -> Result<Statement> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.token_name()?;
        self.expect_word("from")?;
        self.expect_word("user")?;
        let user = self.user_name()?;
        Ok(Statement::CreateToken(Box::new(CreateToken { name, if_not_exists, user, options: self.token_options()? })))
    }

    pub(super) fn alter_token(&mut self) -> Result<Statement> {
        let name = self.token_name()?;
        let options = self.token_options()?;
        if options == TokenOptions::default() { Err(self.unexpected()) } else { Ok(Statement::AlterToken { name, options }) }
    }

    pub(super) fn token_name(&mut self) -> Result<String> {
        self.name(MAX_TOKEN_NAME)
    }

    /// In any order, up to what is none.
    fn token_options(&mut self) -> Result<TokenOptions> {
        let mut options = TokenOptions::default();
        loop {
            if self.eat_word("enable") {
                options.enable = Some(self.integer()?);
            } else if self.eat_word("provider") {
                options.provider = Some(self.string()?);
            } else if self.eat_word("ttl") {
                options.ttl = Some(self.integer()?);
            } else if self.eat_word("extra_info") {
                options.extra = Some(self.string()?);
            } else {
                return Ok(options);
            }
        }
    }

    /// After GRANT (`preposition` TO) or REVOKE (FROM).
    pub(super) fn grant(&mut self, preposition: &str) -> Result<Grant> {
        let privileges = if self.eat_word("all") {
            Privileges::All
        } else if self.eat_word("subscribe") {
            Privileges::Subscribe
        } else {
            Privileges::List(self.comma_separated(Self::privilege)?)
        };
        self.expect_word("on")?;
        let level = self.privilege_level()?;
        let condition = if self.eat_word("with") { Some(self.expression()?) } else { None };
        self.expect_word(preposition)?;
        Ok(Grant { privileges, level, condition, user: self.user_name()? })
    }

    fn privilege(&mut self) -> Result<Privilege> {
        let privilege = match self.word() {
            "read" => Privilege::Read,
            "write" => Privilege::Write,
            "alter" => Privilege::Alter,
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(privilege)
    }

    fn privilege_level(&mut self) -> Result<PrivilegeLevel> {
        if self.eat(TokenKind::Star) {
            self.expect(TokenKind::Dot)?;
            self.expect(TokenKind::Star)?;
            return Ok(PrivilegeLevel::Everything);
        }
        let first = self.table_name()?;
        if !self.eat(TokenKind::Dot) {
            return Ok(PrivilegeLevel::Topic(first));
        }
        if self.eat(TokenKind::Star) { Ok(PrivilegeLevel::Database(first)) } else { Ok(PrivilegeLevel::Table { database: first, table: self.table_name()? }) }
    }

    // ---- functions ----

    /// `[AGGREGATE] FUNCTION …`.
    pub(super) fn create_function(&mut self, or_replace: bool) -> Result<Statement> {
        let aggregate = self.eat_word("aggregate");
        self.expect_word("function")?;
        let if_not_exists = self.if_not_exists()?;
        let name = self.column_name()?;
        self.expect_word("as")?;
        let path = self.string()?;
        self.expect_word("outputtype")?;
        let start = self.token;
        let (output, _) = self.data_type(false)?;
        if matches!(output, DataType::Json | DataType::VarBinary(_) | DataType::Blob | DataType::MediumBlob | DataType::Decimal(..)) {
            return Err(self.unexpected_at(start));
        }
        let buffer_size = if self.eat_word("bufsize") { Some(self.integer()?) } else { None };
        let language = if self.eat_word("language") { Some(self.string()?) } else { None };
        Ok(Statement::CreateFunction(CreateFunction { or_replace, aggregate, if_not_exists, name, path, output, buffer_size, language }))
    }

    // ---- topics and streams ----

    pub(super) fn create_topic(&mut self) -> Result<Statement> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.table_name()?;
        let meta = match self.word() {
            "with" => TopicMeta::With,
            "only" => TopicMeta::Only,
            _ => TopicMeta::None,
        };
        if meta != TopicMeta::None {
            self.advance();
            self.expect_word("meta")?;
        }
        self.expect_word("as")?;
        let source = if self.eat_word("database") {
            TopicSource::Database { name: self.database_name()?, meta }
        } else if self.eat_word("stable") {
            let name = self.object_name()?;
            let filter = if self.eat_word("where") { Some(self.expression()?) } else { None };
            TopicSource::Supertable { name, meta, filter }
        } else if meta == TopicMeta::None {
            TopicSource::Query(self.query()?)
        } else {
            return Err(self.unexpected());
        };
        Ok(Statement::CreateTopic { name, if_not_exists, source: Box::new(source) })
    }

    pub(super) fn create_stream(&mut self) -> Result<Statement> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.table_name()?;
        let options = self.stream_options()?;
        self.expect_word("into")?;
        let target = self.object_name()?;
        let columns = if self.at(TokenKind::LeftParen) { self.parenthesised(|parser| parser.comma_separated(Self::stream_column))? } else { Vec::new() };
        let tags = if self.eat_word("tags") { self.parenthesised(|parser| parser.comma_separated(Self::stream_tag))? } else { Vec::new() };
        let subtable = if self.eat_word("subtable") { Some(self.parenthesised(Self::value)?) } else { None };
        self.expect_word("as")?;
        let query = self.query()?;
        Ok(Statement::CreateStream(Box::new(CreateStream { if_not_exists, name, options, target, columns, tags, subtable, query })))
    }

    fn stream_options(&mut self) -> Result<StreamOptions> {
        let mut options = StreamOptions::default();
        loop {
            match self.word() {
                "trigger" => {
                    self.advance();
                    options.trigger = Some(self.stream_trigger()?);
                }
                "watermark" => {
                    self.advance();
                    options.watermark = Some(self.duration()?);
                }
                "delete_mark" => {
                    self.advance();
                    options.delete_mark = Some(self.duration()?);
                }
                "fill_history" => {
                    self.advance();
                    options.fill_history = Some(self.integer()? != 0);
                }
                "ignore" => {
                    self.advance();
                    let expired = self.eat_word("expired");
                    if !expired {
                        self.expect_word("update")?;
                    }
                    let value = Some(self.integer()? != 0);
                    if expired { options.ignore_expired = value } else { options.ignore_update = value }
                }
                _ => return Ok(options),
            }
        }
    }

    fn stream_trigger(&mut self) -> Result<StreamTrigger> {
        let trigger = match self.word() {
            "at_once" => StreamTrigger::AtOnce,
            "window_close" => StreamTrigger::WindowClose,
            "max_delay" => {
                self.advance();
                return self.duration().map(StreamTrigger::MaxDelay);
            }
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(trigger)
    }

    fn stream_column(&mut self) -> Result<StreamColumn> {
        let name = self.column_name()?;
        let primary_key = self.eat_word("primary");
        if primary_key {
            self.expect_word("key")?;
        }
        Ok(StreamColumn { name, primary_key })
    }

    fn stream_tag(&mut self) -> Result<StreamTag> {
        let name = self.column_name()?;
        let data_type = if matches!(self.token.kind, TokenKind::Comma | TokenKind::RightParen) { None } else { Some(self.data_type(false)?.0) };
        Ok(StreamTag { name, data_type })
    }

    pub(super) fn stream_reference(&mut self) -> Result<DropStream> {
        let if_exists = self.if_exists()?;
        Ok(DropStream { name: self.name(MAX_TABLE_NAME)?, if_exists })
    }

    /// After PAUSE.
    pub(super) fn pause_stream(&mut self) -> Result<Statement> {
        self.expect_word("stream")?;
        self.stream_reference().map(Statement::PauseStream)
    }

    /// After RESUME.
    pub(super) fn resume_stream(&mut self) -> Result<Statement> {
        self.expect_word("stream")?;
        let if_exists = self.if_exists()?;
        let ignore_untreated = self.eat_word("ignore");
        if ignore_untreated {
            self.expect_word("untreated")?;
        }
        Ok(Statement::ResumeStream(ResumeStream { name: self.table_name()?, if_exists, ignore_untreated }))
    }

    // ---- the cluster ----

    /// A host or address, quoted or bare: bare, it goes on to the next space.
    fn endpoint(&mut self) -> Result<String> {
        if self.at(TokenKind::String) {
            return self.string();
        }
        if !matches!(self.token.kind, TokenKind::Word | TokenKind::Integer | TokenKind::Float) || lexer::is_reserved(self.word()) {
            return Err(self.unexpected());
        }
        let start = self.token.start;
        self.advance();
        while self.token.start == self.previous.end
            && matches!(
                self.token.kind,
                TokenKind::Word | TokenKind::Integer | TokenKind::Float | TokenKind::Duration | TokenKind::Dot | TokenKind::Minus | TokenKind::Colon
            )
        {
            self.advance();
        }
        Ok(self.sql[start..self.previous.end].to_owned())
    }

    /// After CREATE and a node's kind.
    pub(super) fn create_node(&mut self, word: &str) -> Result<Statement> {
        Ok(Statement::Cluster(match word {
            "encrypt_key" => ClusterStatement::CreateEncryptKey(self.string()?),
            "dnode" => {
                let endpoint = self.endpoint()?;
                let port = if self.eat_word("port") { Some(self.integer()?) } else { None };
                if port.is_some_and(|port| !(1..65_535).contains(&port)) {
                    return Err(Error::new(code::PORT_SHOULD_BE_AN_INTEGER_THAT));
                }
                ClusterStatement::CreateDnode { endpoint, port }
            }
            _ => ClusterStatement::CreateNode { role: node_role(word), dnode: self.on_dnode()? },
        }))
    }

    /// After DROP and a node's kind.
    pub(super) fn drop_node(&mut self, word: &str) -> Result<Statement> {
        if word != "dnode" {
            return Ok(Statement::Cluster(ClusterStatement::DropNode { role: node_role(word), dnode: self.on_dnode()? }));
        }
        let dnode = if self.at(TokenKind::Integer) { DnodeTarget::Id(self.integer()?) } else { DnodeTarget::Endpoint(self.endpoint()?) };
        let force = self.eat_word("force");
        let unsafe_drop = !force && self.eat_word("unsafe");
        Ok(Statement::Cluster(ClusterStatement::DropDnode { dnode, force, unsafe_drop }))
    }

    fn on_dnode(&mut self) -> Result<i64> {
        self.expect_word("on")?;
        self.expect_word("dnode")?;
        self.integer()
    }

    /// After ALTER and DNODE, ALL, CLUSTER or LOCAL.
    pub(super) fn alter_configuration(&mut self, word: &str) -> Result<Statement> {
        let dnode = match word {
            "dnode" => Some(self.integer()?),
            "all" => {
                self.expect_word("dnodes")?;
                None
            }
            _ => None,
        };
        let key = self.string()?;
        let value = if self.at(TokenKind::String) { Some(self.string()?) } else { None };
        Ok(Statement::Cluster(match word {
            "cluster" => ClusterStatement::AlterCluster { key, value },
            "local" => ClusterStatement::AlterLocal { key, value },
            _ => ClusterStatement::AlterDnode { dnode, key, value },
        }))
    }

    /// After BALANCE, MERGE, SPLIT, REDISTRIBUTE or RESTORE.
    pub(super) fn cluster_statement(&mut self, word: &str) -> Result<Statement> {
        if word == "restore" {
            return self.restore();
        }
        self.expect_word("vgroup")?;
        Ok(Statement::Cluster(match word {
            "balance" => {
                if self.eat_word("leader") {
                    let vgroup = if self.eat_word("on") { Some(self.integer()?) } else { None };
                    ClusterStatement::BalanceVgroupLeader { vgroup }
                } else {
                    ClusterStatement::BalanceVgroup
                }
            }
            "merge" => ClusterStatement::MergeVgroup(self.integer()?, self.integer()?),
            "split" => ClusterStatement::SplitVgroup(self.integer()?),
            _ => {
                let vgroup = self.integer()?;
                let mut dnodes = Vec::new();
                while dnodes.is_empty() || self.at_word("dnode") {
                    self.expect_word("dnode")?;
                    dnodes.push(self.integer()?);
                }
                if dnodes.len() > 3 {
                    return Err(Error::new(code::THE_REDISTRIBUTE_VGROUP_STATEMENT_ONLY_SUPPORT));
                }
                ClusterStatement::RedistributeVgroup { vgroup, dnodes }
            }
        }))
    }

    fn restore(&mut self) -> Result<Statement> {
        let word = self.word();
        if !matches!(word, "dnode" | "mnode" | "qnode" | "vnode") {
            return Err(self.unexpected());
        }
        self.advance();
        let (role, dnode) = if word == "dnode" { (None, self.integer()?) } else { (Some(node_role(word)), self.on_dnode()?) };
        Ok(Statement::Cluster(ClusterStatement::Restore { role, dnode }))
    }
}
