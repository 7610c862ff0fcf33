//! Users and their tokens: making, changing and dropping them, and who is let in.

use std::net::IpAddr;
use std::sync::Arc;

use embudo_types::{Error, Result, code};

use super::Catalog;
use crate::system_change::SystemChange;
use crate::token::{self, TokenKey};
use crate::user::{PasswordCheck, ROOT, THIS_MACHINE, TOKENS};
use crate::{Rights, Token, TotpSecret, User};

/// Bytes of the longest user name.
const LONGEST_USER_NAME: usize = 23;

/// What CREATE USER says.
#[derive(Clone, Debug)]
pub struct NewUser<'a> {
    /// Name.
    pub name: &'a str,
    /// PASS.
    pub password: &'a str,
    /// ENABLE.
    pub enabled: i64,
    /// SYSINFO.
    pub sysinfo: i64,
    /// HOST; empty where it is not there.
    pub hosts: &'a [String],
    /// TOTPSEED.
    pub totp: Option<TotpSecret>,
    /// `ALLOW_TOKEN_NUM`.
    pub token_limit: Option<i64>,
}

/// What somebody shows who wants to enter.
#[derive(Clone, Copy)]
pub enum Proof<'a> {
    /// A name, a password, and a code where the user has a second factor.
    Password {
        /// Name.
        user: &'a str,
        /// Password.
        password: &'a str,
        /// What the second factor gives now; empty for none.
        code: &'a str,
    },
    /// A token's text.
    Token(&'a str),
}

/// Who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: Arc<User>,
    /// The token, where it was one.
    pub token: Option<Arc<Token>>,
}

impl Catalog {
    /// Users by name.
    pub fn users(&self) -> Vec<Arc<User>> {
        self.state.read().users.values().cloned().collect()
    }

    /// A user: 0x0351 "Invalid user" where there is none, 0x0207 "Invalid user name" where there cannot be one of that name.
    pub fn user(&self, name: &str) -> Result<Arc<User>> {
        if name.is_empty() || name.len() > LONGEST_USER_NAME {
            return Err(Error::new(code::INVALID_USER_NAME));
        }
        self.state.read().users.get(name).cloned().ok_or_else(|| Error::new(code::INVALID_USER))
    }

    /// CREATE USER: 0x0350 where there is one of that name.
    pub fn create_user(&self, new: NewUser<'_>) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        if self.state.read().users.contains_key(new.name) {
            return Err(Error::new(code::USER_ALREADY_EXISTS));
        }
        let mut hosts = vec![THIS_MACHINE.to_owned()];
        for host in new.hosts {
            if !hosts.contains(host) {
                hosts.push(host.clone());
            }
        }
        self.log(vec![SystemChange::PutUser(User {
            name: new.name.into(),
            password: PasswordCheck::new(new.password)?,
            superuser: false,
            enabled: new.enabled,
            sysinfo: new.sysinfo,
            hosts,
            keeps_to_hosts: !new.hosts.is_empty(),
            totp: new.totp,
            token_limit: new.token_limit.unwrap_or(TOKENS),
            created: self.now_milliseconds(),
        })])
    }

    /// ALTER USER: `change` gets the user as it is.
    pub fn alter_user(&self, name: &str, change: impl FnOnce(&mut User) -> Result<()>) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        let before = self.user(name)?;
        let mut user = (*before).clone();
        change(&mut user)?;
        if user.totp != before.totp {
            self.used_codes.forget(name);
        }
        self.log(vec![SystemChange::PutUser(user)])?;
        self.verified.clear();
        Ok(())
    }

    /// DROP USER, with its tokens; root stays.
    pub fn drop_user(&self, name: &str) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        if name == ROOT {
            return Err(Error::new(code::PERMISSION_DENIED_OR_TARGET_OBJECT_NOT));
        }
        self.user(name)?;
        self.log(vec![SystemChange::DropUser(name.into())])?;
        self.verified.clear();
        self.used_codes.forget(name);
        Ok(())
    }

    /// Whether root's password is still the default one.
    pub fn has_default_password(&self) -> bool {
        self.user(ROOT).is_ok_and(|user| user.password == PasswordCheck::Default)
    }

    /// A user that may run statements, with what was granted to it: 0x0351 where there is none, 0x0315 where it is disabled.
    pub fn account(&self, name: &str) -> Result<(Arc<User>, Arc<Rights>)> {
        let state = self.state.read();
        let user = state.users.get(name).ok_or_else(|| Error::new(code::INVALID_USER))?;
        if user.enabled == 0 {
            return Err(Error::new(code::USER_IS_DISABLED));
        }
        Ok((user.clone(), state.rights.get(name).cloned().unwrap_or_default()))
    }

    /// Lets somebody in who comes from an address: 0x0357 where the proof is none, 0x0315 where the user is disabled, [`user`](Self::user)'s
    /// errors, and 0x0134 where the user may not come from there.
    pub fn log_in(&self, proof: Proof<'_>, from: IpAddr) -> Result<Login> {
        let login = match proof {
            Proof::Password { user, password, code } => {
                let user = self.user(user)?;
                self.verified.check(&user, password, self.options.clock.elapsed())?;
                if let Some(secret) = &user.totp {
                    let seconds = u64::try_from(self.options.clock.now() / 1_000_000_000).unwrap_or(0);
                    self.used_codes.check(&user.name, secret, code, seconds, from)?;
                }
                Login { user, token: None }
            }
            Proof::Token(text) => {
                let token = self.token_of(text)?;
                token.check(self.now_milliseconds())?;
                Login { user: self.user(&token.user)?, token: Some(token) }
            }
        };
        if login.user.enabled == 0 {
            return Err(Error::new(code::USER_IS_DISABLED));
        }
        if login.user.may_come_from(from) { Ok(login) } else { Err(Error::new(code::NOT_ALLOWED_TO_CONNECT)) }
    }

    /// The token of a text: 0x0357 "Invalid token" where there is none. Every token is looked at, whichever it is.
    fn token_of(&self, text: &str) -> Result<Arc<Token>> {
        let state = self.state.read();
        let hash = state.token_key.ok_or_else(token::invalid)?.hash(text)?;
        let mut found = None;
        for token in state.tokens.values() {
            if token::is_same(&token.hash, &hash) {
                found = Some(token.clone());
            }
        }
        found.ok_or_else(token::invalid)
    }

    /// Whether a token that somebody entered with still lets in: 0x0357 if not.
    pub fn check_token(&self, token: &Token) -> Result<()> {
        let current = self.token(&token.name).filter(|current| token::is_same(&current.hash, &token.hash));
        current.ok_or_else(token::invalid)?.check(self.now_milliseconds())
    }

    /// Tokens by name.
    pub fn tokens(&self) -> Vec<Arc<Token>> {
        self.state.read().tokens.values().cloned().collect()
    }

    /// A token by name.
    pub fn token(&self, name: &str) -> Option<Arc<Token>> {
        self.state.read().tokens.get(name).cloned()
    }

    /// CREATE TOKEN: gives the text, which nobody can tell afterwards. `fill` sets what the statement says, and gets the milliseconds since 1970.
    /// 0x0118 where there is one of that name or the user has as many as allowed, 0x0351 where there is no such user.
    pub fn create_token(&self, name: &str, user: &str, fill: impl FnOnce(&mut Token, i64)) -> Result<String> {
        let _one_at_a_time = self.changing.lock();
        let user = self.user(user)?;
        if self.token(name).is_some() {
            return Err(Error::with(code::INVALID_PARAMETERS, "Token already exists"));
        }
        let count = self.state.read().tokens.values().filter(|token| token.user == user.name).count() as i64;
        if user.token_limit >= 0 && count >= user.token_limit {
            return Err(Error::with(code::INVALID_PARAMETERS, "Too many tokens"));
        }
        let known = self.state.read().token_key;
        let key = known.unwrap_or_else(TokenKey::random);
        let (text, now) = (token::random_text(), self.now_milliseconds());
        let mut token = Token {
            name: name.into(),
            user: user.name.clone(),
            provider: String::new(),
            enabled: true,
            extra: String::new(),
            created: now,
            expires: 0,
            hash: key.hash(&text)?,
        };
        fill(&mut token, now);
        let key = known.is_none().then_some(SystemChange::PutTokenKey(key));
        self.log(key.into_iter().chain([SystemChange::PutToken(token)]).collect())?;
        Ok(text)
    }

    /// ALTER TOKEN: `change` gets the token as it is, and the milliseconds since 1970. 0x012A where there is none of that name.
    pub fn alter_token(&self, name: &str, change: impl FnOnce(&mut Token, i64)) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        let mut token = (*self.known_token(name)?).clone();
        change(&mut token, self.now_milliseconds());
        self.log(vec![SystemChange::PutToken(token)])
    }

    /// DROP TOKEN: 0x012A where there is none of that name.
    pub fn drop_token(&self, name: &str) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        let token = self.known_token(name)?;
        self.log(vec![SystemChange::DropToken(token.name.clone())])
    }

    fn known_token(&self, name: &str) -> Result<Arc<Token>> {
        self.token(name).ok_or_else(|| Error::with(code::NOT_FOUND, "Token does not exist"))
    }
}
