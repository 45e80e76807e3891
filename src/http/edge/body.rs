//! Bodies that tell the connection's watch where a request and its answer end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};

use super::watch::{Exchange, Watch};

/// The body of a request.
pub(super) struct Received {
    body: Incoming,
    watch: Arc<Watch>,
    ended: bool,
}

impl Received {
    pub(super) fn new(body: Incoming, watch: Arc<Watch>) -> Self {
        Self {
            body,
            watch,
            ended: false,
        }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.ended |= matches!(frame, Poll::Ready(None));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            self.watch.unread();
        }
    }
}

/// The body of an answer.
pub(super) struct Sent {
    body: Body,
    exchange: Exchange,
}

impl Sent {
    pub(super) fn new(body: Body, exchange: Exchange) -> Self {
        exchange.offer();
        Self { body, exchange }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        match frame {
            Poll::Pending => self.exchange.wait(),
            Poll::Ready(_) => self.exchange.offer(),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
