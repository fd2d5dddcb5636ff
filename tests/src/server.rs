//! HTTP/1.1 on loopback, with or without TLS. A server has a thread and a runtime of its own, so that
//! sync and async tests can use it.

use std::io;
use std::net::{SocketAddr, TcpListener as Listener, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// The answer of a server.
pub(crate) type Reply = Result<Response<Full<Bytes>>, HangUp>;

/// Resets the connection instead of answering.
#[derive(Debug, thiserror::Error)]
#[error("hung up without an answer")]
pub(crate) struct HangUp;

/// Answers requests.
pub(crate) trait HttpService: Send + Sync + 'static {
    /// A client has opened a connection.
    fn connected(&self) {}

    /// One request, one reply.
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> impl Future<Output = Reply> + Send;
}

/// A running server; stops and closes its connections when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens there, with or without TLS; port 0 takes a free port.
    pub(crate) fn start(
        at: impl ToSocketAddrs,
        tls: Option<ServerConfig>,
        service: Arc<impl HttpService>,
    ) -> io::Result<Server> {
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let listener = Listener::bind(at)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("server".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(listener, tls, service) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Server {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: Listener, tls: Option<TlsAcceptor>, service: Arc<impl HttpService>) {
    let listener = TcpListener::from_std(listener).expect("made non-blocking above");
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        service.connected();
        let _ = stream.set_nodelay(true);
        let (service, tls) = (Arc::clone(&service), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(stream, service).await,
                // A client that trusts another certificate goes away.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, service).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl Stream, service: Arc<impl HttpService>) {
    let mut connection = http1::Builder::new().serve_connection(
        TokioIo::new(stream),
        service_fn(|request| Arc::clone(&service).answer(request)),
    );
    if let Err(error) = (&mut connection).await
        && error.is_user()
    {
        // Closing with a lingering time of zero sends RST instead of FIN.
        let _ = connection.into_parts().io.inner().tcp().set_zero_linger();
    }
}

/// A connection.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}
