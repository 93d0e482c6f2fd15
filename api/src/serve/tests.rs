use axum::{
    body::Body,
    http::StatusCode,
    response::IntoResponse,
    routing::{get, post},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    task::JoinHandle,
};

use super::*;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(bounds: Bounds) -> Self {
        let router = Router::new()
            .route("/", get(async || "served"))
            .route("/refuse", post(async || StatusCode::UNAUTHORIZED))
            .route("/read", post(async |body: axum::body::Bytes| body.len().to_string()))
            .route("/large", get(async || Body::from(vec![0; 64 * 1024 * 1024]).into_response()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        Self { address, task: tokio::spawn(serve(listener, router, bounds, stop.clone())), stop }
    }

    /// A connection from `127.0.0.<host>` on which `text` was sent.
    async fn connect(&self, host: u8, text: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, host], 0))).unwrap();
        let mut tcp = socket.connect(self.address).await.unwrap();
        tcp.write_all(text.as_bytes()).await.unwrap();
        tcp
    }

    /// What one whole request is answered with.
    async fn ask(&self, host: u8, text: &str) -> String {
        to_its_end(self.connect(host, text).await).await
    }
}

async fn to_its_end(mut tcp: TcpStream) -> String {
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, tcp.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

/// One answer on a connection that stays open: as long as its `Content-Length` says.
async fn next_answer(tcp: &mut TcpStream) -> String {
    let mut answer = String::new();
    let read = async {
        let mut bytes = [0; 4096];
        loop {
            let count = tcp.read(&mut bytes).await.unwrap();
            assert_ne!(count, 0, "the connection was closed: {answer}");
            answer.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            let Some((head, body)) = answer.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse().unwrap() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap();
    answer
}

const GET: &str = "GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
const HALF: &str = "GET / HTTP/1.1\r\nhost: he";

#[tokio::test]
async fn half_sent_heads_of_one_address_keep_nobody_else_out() {
    let bounds = Bounds { connections: 150, per_address: 100, ..Bounds::default() };
    let server = Running::start(bounds).await;
    let mut slow = Vec::new();
    for _ in 0..300 {
        slow.push(server.connect(2, HALF).await);
    }
    assert!(server.ask(3, GET).await.ends_with("served"));
    let refused = to_its_end(slow.pop().unwrap()).await;
    assert!(refused.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{refused}");
    assert!(refused.contains("connection: close") && refused.contains(r#""code":"too_many_connections""#));
}

#[tokio::test]
async fn a_proxy_may_have_as_many_connections_as_there_are() {
    let exempt: Arc<dyn Fn(IpAddr) -> bool + Send + Sync> = Arc::new(|ip| ip == IpAddr::from([127, 0, 0, 2]));
    let server = Running::start(Bounds { per_address: 1, exempt, ..Bounds::default() }).await;
    let _open = (server.connect(2, HALF).await, server.connect(2, HALF).await);
    assert!(server.ask(2, GET).await.ends_with("served"));
}

#[tokio::test]
async fn a_head_that_takes_too_long_is_a_408_however_it_drips() {
    let bounds = Bounds { head: Duration::from_millis(300), ..Bounds::default() };
    let server = Running::start(bounds).await;
    assert_eq!(to_its_end(server.connect(2, "").await).await, "", "who asks nothing is told nothing");
    let stuck = server.ask(2, HALF).await;
    assert!(
        stuck.contains(r#""code":"request_timeout""#) && stuck.contains("application/problem+json"),
        "{stuck}"
    );

    let (mut read, mut write) = server.connect(2, HALF).await.into_split();
    let drip = tokio::spawn(async move {
        while write.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut answer = [0; 12];
    tokio::time::timeout(PATIENCE, read.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    drip.abort();

    // The second head on a connection has its own time.
    let mut kept = server.connect(2, "GET / HTTP/1.1\r\nhost: here\r\n\r\n").await;
    next_answer(&mut kept).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    kept.write_all(HALF.as_bytes()).await.unwrap();
    assert!(to_its_end(kept).await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn a_connection_without_requests_is_closed() {
    let server = Running::start(Bounds { idle: Duration::from_millis(300), ..Bounds::default() }).await;
    let mut kept = server.connect(2, "GET / HTTP/1.1\r\nhost: here\r\n\r\n").await;
    next_answer(&mut kept).await;
    assert_eq!(to_its_end(kept).await, "");
}

#[tokio::test]
async fn a_client_that_takes_no_answer_is_given_up() {
    let bounds = Bounds { write: Duration::from_millis(300), connections: 1, ..Bounds::default() };
    let server = Running::start(bounds).await;
    let _deaf = server.connect(2, "GET /large HTTP/1.1\r\nhost: here\r\n\r\n").await;
    // There is room for one: it is served when the other is gone.
    assert!(server.ask(3, GET).await.ends_with("served"));
}

#[tokio::test]
async fn after_an_early_answer_the_connection_goes_on_or_says_that_it_does_not() {
    let server = Running::start(Bounds::default()).await;
    let post = |path: &str, length: usize| {
        format!("POST {path} HTTP/1.1\r\nhost: here\r\ncontent-length: {length}\r\n\r\n")
    };
    let mut kept = server.connect(2, "").await;
    for _ in 0..30 {
        let request = post("/refuse", 30_000) + &"x".repeat(30_000);
        kept.write_all(request.as_bytes()).await.unwrap();
        let answer = next_answer(&mut kept).await;
        assert!(answer.starts_with("HTTP/1.1 401 ") && !answer.contains("connection: close"), "{answer}");
    }
    kept.write_all((post("/read", 3) + "abc").as_bytes()).await.unwrap();
    assert!(next_answer(&mut kept).await.ends_with("\r\n\r\n3"));

    // A large rest is not waited for, and its sender reads why although it goes on sending.
    kept.write_all(post("/refuse", 10_000_000).as_bytes()).await.unwrap();
    let (mut read, mut write) = kept.into_split();
    let sending = tokio::spawn(async move { write.write_all(&vec![0; 1_000_000]).await });
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, read.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("connection: close"), "{answer}");
    sending.await.unwrap().unwrap();

    // Neither is one that does not come, nor one that its sender asks about.
    for unsent in
        [post("/refuse", 5), post("/refuse", 5).replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n")]
    {
        let answer = server.ask(2, &unsent).await;
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn being_told_to_stop_waits_for_requests_and_for_nobody_else() {
    let server = Running::start(Bounds { head: PATIENCE, idle: PATIENCE, ..Bounds::default() }).await;
    let _silent = server.connect(2, "").await;
    let _half = server.connect(2, HALF).await;
    let mut kept = server.connect(2, "GET / HTTP/1.1\r\nhost: here\r\n\r\n").await;
    next_answer(&mut kept).await;
    let mut asking =
        server.connect(2, "POST /read HTTP/1.1\r\nhost: here\r\ncontent-length: 3\r\n\r\na").await;
    assert!(server.ask(3, GET).await.ends_with("served"), "all of these are accepted");

    server.stop.cancel();
    assert_eq!(to_its_end(kept).await, "");
    // Longer than the others are waited for.
    tokio::time::sleep(LAST_CALL * 2).await;
    asking.write_all(b"bc").await.unwrap();
    assert!(to_its_end(asking).await.ends_with("\r\n\r\n3"));
    tokio::time::timeout(PATIENCE / 2, server.task).await.unwrap().unwrap();
}
