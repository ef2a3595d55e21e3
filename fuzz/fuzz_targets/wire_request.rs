//! Any message is a request, an error that can be answered, or nothing; what is one says itself the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use resume_core::wire::{self, EventsReply, NoReply, Request, StatusReply, StopReply, Terminator};

fuzz_target!(|message: &[u8]| {
    match Request::parse(message) {
        Ok(Ok(request)) => {
            let again = Request::parse(&request.call.to_message()).expect("it is a message").expect("it is a request");
            assert_eq!(again.call, request.call);
        }
        Ok(Err(error)) => {
            let bytes = wire::error(&error, Terminator::LineFeed);
            let (end, answer) = bytes.split_last().expect("it has a terminator");
            assert!(*end == b'\n' && !answer.contains(&b'\n') && !answer.contains(&0));
            assert!(matches!(wire::parse_reply::<StopReply>(answer), Err(NoReply::Call(back)) if back == error));
        }
        Err(_) => (),
    }
    let _ = wire::parse_reply::<StatusReply>(message);
    let _ = wire::parse_reply::<EventsReply>(message);
    let _ = wire::parse_reply::<StopReply>(message);
});
