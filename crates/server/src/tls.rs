//! Encryption by rustls: certificate and key from files, read again when the files change or the process is told to, without a connection
//! being lost. Connections that are open keep the certificate that they began with.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use embudo_types::{Error, Result, code};
use tokio::{net::TcpStream, sync::watch, task::spawn_blocking, time::interval};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
    server::TlsStream,
};

use crate::options::TlsOptions;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// What makes a plain connection an encrypted one.
pub struct Tls {
    files: TlsOptions,
    config: RwLock<Arc<ServerConfig>>,
    /// The files' states that were last read, whether or not they were any good.
    seen: Mutex<[Option<FileState>; 2]>,
}

/// What changes when a file is written.
type FileState = (SystemTime, u64);

impl Tls {
    /// Reads certificate and key.
    pub fn load(files: TlsOptions) -> Result<Self> {
        let seen = states(&files);
        let config = read(&files)?;
        Ok(Self { files, config: RwLock::new(Arc::new(config)), seen: Mutex::new(seen) })
    }

    /// Greets a client.
    pub async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        TlsAcceptor::from(config).accept(stream).await
    }

    /// Reads the files again for connections to come. Where they are no good, what was read before stays.
    pub fn reload(&self) -> Result<()> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = states(&self.files);
        let config = read(&self.files)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        tracing::info!(certificate = %self.files.certificate.display(), "certificate read");
        Ok(())
    }

    fn has_changed(&self) -> bool {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) != states(&self.files)
    }

    fn reload_if_changed(&self) {
        if self.has_changed()
            && let Err(error) = self.reload()
        {
            tracing::warn!(%error, "the certificate files changed and cannot be used; the old certificate stays");
        }
    }
}

/// Reads the files again whenever they change, until the server stops.
pub async fn watch_files(tls: Arc<Tls>, mut stopped: watch::Receiver<bool>) {
    let mut looks = interval(LOOK);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        let tls = Arc::clone(&tls);
        if spawn_blocking(move || tls.reload_if_changed()).await.is_err() {
            return;
        }
    }
}

fn states(files: &TlsOptions) -> [Option<FileState>; 2] {
    let state = |path: &PathBuf| std::fs::metadata(path).and_then(|file| Ok((file.modified()?, file.len()))).ok();
    [state(&files.certificate), state(&files.key)]
}

fn read(files: &TlsOptions) -> Result<ServerConfig> {
    let bad = |path: &Path, what: String| Error::with(code::INVALID_CONFIG_OPTION, format!("TLS: {}: {what}", path.display()));
    let certificates = CertificateDer::pem_file_iter(&files.certificate).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|source| bad(&files.certificate, format!("no certificates in PEM form: {source}")))?;
    if certificates.is_empty() {
        return Err(bad(&files.certificate, "no certificate in it".into()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|source| bad(&files.key, format!("no private key in PEM form: {source}")))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    let builder = builder.map_err(|source| Error::internal("TLS has no protocol version").caused_by(source))?.with_no_client_auth();
    let mut config = builder.with_single_cert(certificates, key).map_err(|source| bad(&files.certificate, source.to_string()).caused_by(source))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
