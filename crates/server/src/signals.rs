//! The signals that ask a process to stop, or to read its files again.

use embudo_types::{Error, Result};

/// Waits for the first signal to stop, and calls `reload` at every SIGHUP until then.
pub async fn first_that_stops(mut reload: impl FnMut()) -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangup = signal(SignalKind::hangup()).map_err(|source| Error::io("listening for signals", source))?;
        let mut stop = std::pin::pin!(first());
        loop {
            tokio::select! {
                stopped = &mut stop => return stopped,
                _ = hangup.recv() => reload(),
            }
        }
    }
    #[cfg(not(unix))]
    {
        let _ = &mut reload;
        first().await
    }
}

/// Waits for the first of them.
pub async fn first() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(|source| Error::io("listening for signals", source));
        let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.map_err(|source| Error::io("listening for Ctrl-C", source))
}

/// Waits for one more, then leaves the process at once: whoever signals twice does not want to wait. What was acknowledged is in
/// the log.
pub async fn exit_on_the_next() {
    if first().await.is_ok() {
        std::process::exit(130);
    }
}
