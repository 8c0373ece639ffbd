use super::*;
use std::{
    pin::Pin,
    sync::Mutex,
    task::{Context, Poll},
};

/// Patient with peers that take nothing: what ends an answer here is the word.
const PATIENT: Deadlines = Deadlines {
    proxy_header: Duration::from_secs(5),
    tls: Duration::from_secs(10),
    headers: Duration::from_secs(10),
    stall: Duration::from_secs(3_600),
};

struct Word(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Breaks for Word {
    fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

/// An answer without end, whose body does not look for the word itself.
pub(super) fn until_a_word(hello: &Hello) -> Response<Body> {
    let word = Arc::clone(&hello.word);
    let word = Arc::new(Mutex::new(Word(Box::pin(async move { word.notified().await }))));
    let given = Given(Arc::clone(&hello.given_up));
    let listens: std::sync::Weak<Mutex<Word>> = Arc::downgrade(&word);
    let mut response = Response::new(Body::from_stream(futures_util::stream::repeat_with(move || {
        let (Given(_), _) = (&given, &word);
        Ok::<_, std::convert::Infallible>(Bytes::from_static(&[0; 100_000]))
    })));
    response.extensions_mut().insert(CutShort::new(listens));
    response
}

#[tokio::test]
async fn an_answer_is_broken_off_though_its_peer_takes_nothing() {
    let fixture = start_with(Mode::HttpBehindProxy(vec!["127.0.0.0/8".parse().unwrap()]), 100, PATIENT);
    let mut deaf = fixture.tcp().await;
    deaf.write_all(b"GET /until-a-word HTTP/1.1\r\nHost: gate.test\r\n\r\n").await.unwrap();
    // Waits for the answer to be on its way.
    deaf.readable().await.unwrap();
    fixture.hello.word.notify_one();
    fixture.hello.given_up.notified().await;
    let told = rest(deaf).await;
    assert!(
        told.starts_with("HTTP/1.1 200 ") && !told.ends_with("0\r\n\r\n"),
        "nobody may take it for whole"
    );
}

#[tokio::test]
async fn a_stream_is_broken_off_though_its_peer_takes_nothing_and_its_neighbours_go_on() {
    let fixture = start_with(Mode::Tls, 100, PATIENT);
    http2::is_reset_alone(&fixture, "/until-a-word", || fixture.hello.word.notify_one()).await;
}
