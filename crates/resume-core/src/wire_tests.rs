//! Frames, requests and answers, and that no bytes make their parsers panic.

use proptest::prelude::*;

use super::*;

fn frames(chunks: &[&[u8]]) -> Vec<(Vec<u8>, Terminator)> {
    let mut frames = Frames::default();
    let mut all = Vec::new();
    for chunk in chunks {
        frames.push(chunk);
        while let Some(frame) = frames.next_frame().unwrap() {
            all.push(frame);
        }
    }
    all
}

#[test]
fn a_message_ends_with_a_nul_or_a_line_feed_wherever_the_stream_is_cut() {
    let expected = vec![(b"{a}".to_vec(), Terminator::Nul), (b"{b}".to_vec(), Terminator::LineFeed)];
    assert_eq!(frames(&[b"{a}\0{b}\n\r\n{c"]), expected);
    assert_eq!(frames(&[b"{", b"a}", b"\0", b"\n{b}\n"]), expected);
}

#[test]
fn a_message_beyond_the_bound_is_refused_even_if_it_never_ends() {
    let mut endless = Frames::default();
    endless.push(&vec![b' '; MAX_MESSAGE + 1]);
    assert_eq!(endless.next_frame(), Err(TooLong));
    let mut ended = Frames::default();
    ended.push(&[vec![b' '; MAX_MESSAGE + 1], vec![0]].concat());
    assert_eq!(ended.next_frame(), Err(TooLong));
}

#[test]
fn parameters_may_be_missing_null_or_unknown() {
    for text in [
        r#"{"method":"dev.resume.Supervisor.Stop"}"#,
        r#"{"method":"dev.resume.Supervisor.Stop","parameters":null,"more":null}"#,
        r#"{"method":"dev.resume.Supervisor.Stop","parameters":{"instances":null,"now":null,"later":1}}"#,
    ] {
        let request = Request::parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!(request.call, Call::Stop(StopParameters::default()), "{text}");
    }
}

#[test]
fn what_cannot_be_served_is_named_in_the_answer() {
    for (text, error) in [
        (r#"{"method":"dev.resume.Supervisor.Nope"}"#, CallError::MethodNotFound("dev.resume.Supervisor.Nope".into())),
        (r#"{"method":"io.example.Nope"}"#, CallError::InterfaceNotFound("io.example".into())),
        (r#"{"method":""}"#, CallError::InterfaceNotFound(String::new())),
        (
            r#"{"method":"org.varlink.service.GetInterfaceDescription"}"#,
            CallError::InvalidParameter("interface".into()),
        ),
    ] {
        let answer = Request::parse(text.as_bytes()).unwrap().unwrap_err();
        assert_eq!(answer, error);
        let bytes = super::error(&answer, Terminator::Nul);
        let Err(NoReply::Call(back)) = parse_reply::<StopReply>(&bytes[..bytes.len() - 1]) else { panic!() };
        assert_eq!(back, error);
    }
    for text in ["", "1", "[]", "{}", "{\"method\":1}", "{\"method\":\"x\""] {
        assert!(Request::parse(text.as_bytes()).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn a_call_reads_back_from_its_message(wait: bool, fresh: bool, instances: Option<Vec<u32>>) {
        let call = Call::Start(StartParameters { instances, wait, fresh });
        prop_assert_eq!(Request::parse(&call.to_message()).unwrap().unwrap().call, call);
    }

    #[test]
    fn no_bytes_make_the_parsers_panic(bytes: Vec<u8>) {
        let mut frames = Frames::default();
        frames.push(&bytes);
        while let Ok(Some((frame, _))) = frames.next_frame() {
            let _ = Request::parse(&frame);
            let _ = parse_reply::<StatusReply>(&frame);
        }
    }
}
