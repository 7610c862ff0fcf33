//! Lines from a terminal: history, completion, and more lines until a statement ends.

use std::{path::PathBuf, sync::Arc};

use embudo_client::Driver;
use embudo_types::{Error, Result};
use rustyline::{
    Context, Helper,
    completion::Completer,
    error::ReadlineError,
    highlight::Highlighter,
    hint::Hinter,
    history::FileHistory,
    validate::{ValidationContext, ValidationResult, Validator},
};

use super::{completion::Completion, statements};

/// What a person did.
pub enum Line {
    /// Typed this, to the end of a statement.
    Text(String),
    /// Gave up what was typed.
    Cancelled,
    /// Wants to leave.
    End,
}

/// The line editor.
pub struct Editor {
    editor: rustyline::Editor<Assistant, FileHistory>,
    history: Option<PathBuf>,
}

impl Editor {
    /// An editor with the history of earlier shells.
    pub fn new(driver: Arc<dyn Driver>) -> Result<Self> {
        let configuration = rustyline::Config::builder().auto_add_history(false).max_history_size(10_000).map_err(failed)?.build();
        let mut editor = rustyline::Editor::with_config(configuration).map_err(failed)?;
        editor.set_helper(Some(Assistant { completion: Completion::new(driver) }));
        let history = history_path();
        if let Some(path) = &history {
            // There is none before the first shell.
            let _ = editor.load_history(path);
        }
        Ok(Self { editor, history })
    }

    /// Reads until a statement ends.
    pub fn read(&mut self) -> Result<Line> {
        match self.editor.readline("embudo> ") {
            Ok(text) => {
                self.remember(&text);
                Ok(Line::Text(text))
            }
            Err(ReadlineError::Interrupted) => Ok(Line::Cancelled),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(error) => Err(failed(error)),
        }
    }

    /// After a statement that may have changed what there is, names are asked for anew.
    pub fn forget_names(&self, text: &str) {
        let word = text.trim_start().get(..6).unwrap_or("").to_ascii_lowercase();
        if word != "select"
            && let Some(assistant) = self.editor.helper()
        {
            assistant.completion.forget();
        }
    }

    /// Keeps a statement in the history, unless it holds a password.
    fn remember(&mut self, text: &str) {
        if text.trim().is_empty() || text.to_ascii_lowercase().split_whitespace().any(|word| word == "pass") {
            return;
        }
        let _ = self.editor.add_history_entry(text);
        if let Some(path) = &self.history {
            // A history that cannot be kept is no reason to stop working.
            let _ = path.parent().map(std::fs::create_dir_all);
            let _ = self.editor.save_history(path);
        }
    }
}

fn failed(error: ReadlineError) -> Error {
    Error::internal(format!("the terminal: {error}")).caused_by(error)
}

/// `$XDG_STATE_HOME/embudo/history`, else `~/.local/state/embudo/history`.
fn history_path() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let state = state.or_else(|| std::env::home_dir().map(|home| home.join(".local/state")))?;
    Some(state.join("embudo").join("history"))
}

/// What rustyline asks while a person types.
struct Assistant {
    completion: Completion,
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(&self, line: &str, cursor: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.completion.candidates(line, cursor))
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_finished(context.input()) { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Hinter for Assistant {
    type Hint = String;
}

impl Highlighter for Assistant {}

impl Helper for Assistant {}

/// Whether a text can be run: it ends with a statement's end, is blank, or is a word for the shell itself.
fn is_finished(text: &str) -> bool {
    let word = text.trim().to_ascii_lowercase();
    let command = matches!(word.as_str(), "exit" | "quit" | "\\q" | "q" | "help" | "\\h" | "\\?" | "?");
    command || statements::split(text).1.is_empty()
}

#[cfg(test)]
mod tests {
    use super::is_finished;

    #[test]
    fn statements_go_on_until_their_end() {
        for text in ["", "  ", "exit", "QUIT", "select 1;", "select 1\\G", "select ';' ; "] {
            assert!(is_finished(text), "{text}");
        }
        for text in ["select 1", "select ';", "select 1; select 2", "-- remark"] {
            assert!(!is_finished(text), "{text}");
        }
    }
}
