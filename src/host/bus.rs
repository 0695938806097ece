//! One question to a service of the machine over its message bus (D-Bus), without a library for it: the bus wants
//! a handshake of two lines and a `Hello`, and then it carries messages with a header of typed fields. Only what a
//! call without arguments and its answer need is here.
//!
//! Nothing that comes from the bus is trusted: an answer is bounded in size, every length is checked, and
//! what cannot be understood is an error.

use std::io::{self, Read, Write};
use std::time::Duration;

use super::{Host, HostError, LARGEST_FILE};

/// The longest silence: below every deadline of a reading, so that it is told as what it is.
const PATIENCE: Duration = Duration::from_millis(400);

/// The caller is who the kernel says it is.
const HANDSHAKE: &[u8] = b"\0AUTH EXTERNAL\r\nDATA\r\n";
const BEGIN: &[u8] = b"BEGIN\r\n";
const LONGEST_HANDSHAKE: usize = 512;

/// So many messages may come before the answer: the one to the greeting, and signals.
const MOST_MESSAGES: usize = 64;

const HEADER: usize = 16;
const CALL: u8 = 1;
const ANSWER: u8 = 2;
const ERROR: u8 = 3;

/// Codes of header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_TO: u8 = 5;
const DESTINATION: u8 = 6;

const HELLO: Call = Call {
    service: "org.freedesktop.DBus",
    object: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    method: "Hello",
};

/// A method that takes no arguments.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// The service's name on the bus.
    pub service: &'static str,
    /// The object's path.
    pub object: &'static str,
    /// The interface of it.
    pub interface: &'static str,
    /// The method.
    pub method: &'static str,
}

/// What a method gave back, to be read value by value.
#[derive(Debug, Clone)]
pub struct Answer {
    bytes: Vec<u8>,
    is_big_endian: bool,
}

impl Answer {
    /// A reader of its values.
    pub fn values(&self) -> Values<'_> {
        Values { bytes: &self.bytes, at: 0, is_big_endian: self.is_big_endian }
    }
}

/// Asks over the socket at `path`.
pub fn call(host: &Host, path: &str, call: &Call) -> Result<Answer, HostError> {
    let answer = host.connect(path, PATIENCE).and_then(|mut stream| {
        ask(&mut stream, call).map_err(|source| HostError { path: host.path(path), source })
    });
    answer.map_err(|mut error| {
        if error.source.kind() == io::ErrorKind::WouldBlock {
            error.source = io::Error::new(io::ErrorKind::TimedOut, "it does not answer");
        }
        error
    })
}

fn ask(stream: &mut (impl Read + Write), call: &Call) -> io::Result<Answer> {
    stream.write_all(HANDSHAKE)?;
    shake_hands(stream)?;
    let mut out = BEGIN.to_vec();
    out.extend(message(&HELLO, 1));
    out.extend(message(call, 2));
    stream.write_all(&out)?;
    for _ in 0..MOST_MESSAGES {
        let incoming = receive(stream)?;
        match (incoming.kind, incoming.reply_to) {
            (ANSWER, Some(2)) => return Ok(incoming.body),
            (ERROR, Some(_)) => return Err(io::Error::other(format!("it answered {}", incoming.error_name))),
            _ => {}
        }
    }
    Err(odd())
}

/// Reads up to the line that begins with `OK`, and not a byte more.
fn shake_hands(stream: &mut impl Read) -> io::Result<()> {
    let mut line = Vec::new();
    for _ in 0..LONGEST_HANDSHAKE {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.extend(byte);
        if line.ends_with(b"\r\n") {
            match line.as_slice() {
                b"DATA\r\n" => line.clear(),
                line if line.starts_with(b"OK ") => return Ok(()),
                line if line.starts_with(b"REJECTED") => {
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it does not let us in"));
                }
                _ => return Err(odd()),
            }
        }
    }
    Err(odd())
}

fn odd() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it does not speak D-Bus as expected")
}

/// A call as the bus wants it: numbers with the lowest byte first, fields at multiples of eight.
fn message(call: &Call, serial: u32) -> Vec<u8> {
    let texts = [
        (PATH, b'o', call.object),
        (DESTINATION, b's', call.service),
        (INTERFACE, b's', call.interface),
        (MEMBER, b's', call.method),
    ];
    let mut fields = Vec::new();
    for (code, kind, text) in texts {
        pad(&mut fields);
        fields.extend([code, 1, kind, 0]);
        fields.extend(length(text.as_bytes()));
        fields.extend(text.bytes().chain([0]));
    }
    let mut out = vec![b'l', CALL, 0, 1, 0, 0, 0, 0];
    out.extend(serial.to_le_bytes());
    out.extend(length(&fields));
    out.extend(fields);
    pad(&mut out);
    out
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

/// A message that came.
struct Incoming {
    kind: u8,
    reply_to: Option<u32>,
    error_name: String,
    body: Answer,
}

fn receive(stream: &mut impl Read) -> io::Result<Incoming> {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    let [endian, kind, ..] = header;
    let is_big_endian = match endian {
        b'l' => false,
        b'B' => true,
        _ => return Err(odd()),
    };
    let mut values = Values { bytes: &header, at: 4, is_big_endian };
    let (body, _, fields) = (values.number(), values.number(), values.number());
    let size = |number: Option<u32>| number.and_then(|number| usize::try_from(number).ok()).ok_or_else(odd);
    let (body, fields) = (size(body)?, size(fields)?);
    if body > LARGEST_FILE || fields > LARGEST_FILE {
        return Err(odd());
    }
    let fields = read(stream, fields.next_multiple_of(8)).map(|bytes| (bytes, fields))?;
    let bytes = read(stream, body)?;
    let (padded, fields) = fields;
    let mut values = Values { bytes: padded.get(..fields).unwrap_or_default(), at: 0, is_big_endian };
    let (mut reply_to, mut error_name) = (None, String::new());
    while !values.is_at_end() {
        match values.field().ok_or_else(odd)? {
            (REPLY_TO, Field::Number(serial)) => reply_to = Some(serial),
            (ERROR_NAME, Field::Text(name)) => name.clone_into(&mut error_name),
            _ => {}
        }
    }
    Ok(Incoming { kind, reply_to, error_name, body: Answer { bytes, is_big_endian } })
}

/// Reads that many bytes, which take memory only as they come.
fn read(stream: &mut impl Read, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(count as u64).read_to_end(&mut bytes)?;
    if bytes.len() == count { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

enum Field<'a> {
    Number(u32),
    Text(&'a str),
}

/// Values one after the other, each at a multiple of its size; none where the bytes do not suffice.
#[derive(Debug, Clone)]
pub struct Values<'a> {
    bytes: &'a [u8],
    at: usize,
    is_big_endian: bool,
}

impl<'a> Values<'a> {
    /// Whether nothing follows.
    pub fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// A number (`u`).
    pub fn number(&mut self) -> Option<u32> {
        self.align(4)?;
        let bytes = self.take(4)?.try_into().ok()?;
        Some(if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// A text or a path (`s`, `o`).
    pub fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        self.take(1)?;
        Some(text)
    }

    /// Goes on to where the next structure begins.
    pub fn structure(&mut self) -> Option<()> {
        self.align(8)
    }

    fn field(&mut self) -> Option<(u8, Field<'a>)> {
        self.structure()?;
        let [code, 1, kind, 0] = *self.take(4)? else { return None };
        let value = match kind {
            b'u' => Field::Number(self.number()?),
            b's' | b'o' => Field::Text(self.text()?),
            b'g' => {
                let [length] = *self.take(1)? else { return None };
                self.take(usize::from(length).saturating_add(1))?;
                Field::Text("")
            }
            _ => return None,
        };
        Some((code, value))
    }

    fn align(&mut self, to: usize) -> Option<()> {
        let next = self.at.next_multiple_of(to);
        self.take(next.checked_sub(self.at)?).map(|_| ())
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, Read, Write};

    use super::{Call, HELLO, ask, message};

    /// What the other side will say, whatever it is asked; and what it was asked.
    struct Recorded(Cursor<Vec<u8>>, Vec<u8>);

    impl Read for Recorded {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Recorded {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const ASKED: Call = Call { service: "a.b", object: "/a", interface: "a.b.C", method: "D" };

    fn asked(said: &[u8]) -> (Result<Vec<u8>, String>, Vec<u8>) {
        let mut stream = Recorded(Cursor::new(said.to_vec()), Vec::new());
        let answer = ask(&mut stream, &ASKED);
        (answer.map(|answer| answer.bytes).map_err(|error| error.to_string()), stream.1)
    }

    /// A message as a server may send it.
    fn sent(endian: u8, kind: u8, reply_to: u32, error: &str, body: &[u8]) -> Vec<u8> {
        let number = |number: usize| {
            let number = u32::try_from(number).unwrap();
            if endian == b'B' { number.to_be_bytes() } else { number.to_le_bytes() }
        };
        let mut fields = vec![5, 1, b'u', 0];
        fields.extend(number(reply_to as usize));
        fields.extend([8, 1, b'g', 0, 1, b's', 0]);
        if !error.is_empty() {
            fields.resize(fields.len().next_multiple_of(8), 0);
            fields.extend([4, 1, b's', 0]);
            fields.extend(number(error.len()));
            fields.extend(error.bytes().chain([0]));
        }
        let mut out = vec![endian, kind, 0, 1];
        out.extend(number(body.len()));
        out.extend(number(9));
        out.extend(number(fields.len()));
        out.extend(fields);
        out.resize(out.len().next_multiple_of(8), 0);
        out.extend(body);
        out
    }

    #[test]
    fn the_answer_to_our_call_is_taken() {
        let parts = [
            b"DATA\r\nOK 1234\r\n".to_vec(),
            sent(b'l', 2, 1, "", b"hello"),
            sent(b'l', 4, 2, "", b"a signal"),
            sent(b'B', 2, 2, "", b"ours"),
        ];
        let (answer, said) = asked(&parts.concat());
        assert_eq!(answer.unwrap(), b"ours");
        let expected = [super::HANDSHAKE, super::BEGIN, &message(&HELLO, 1), &message(&ASKED, 2)].concat();
        assert_eq!(said, expected);
    }

    #[test]
    fn refusals_are_told() {
        let check = |said: Vec<u8>, expected: &str| {
            assert_eq!(asked(&said).0.unwrap_err(), expected);
        };
        check(b"REJECTED EXTERNAL\r\n".to_vec(), "it does not let us in");
        check(b"HTTP/1.1 400\r\n".to_vec(), "it does not speak D-Bus as expected");
        check(vec![b'x'; 1000], "it does not speak D-Bus as expected");
        let unknown = sent(b'l', 3, 2, "org.freedesktop.DBus.Error.ServiceUnknown", b"");
        check([b"OK 1\r\n", &unknown[..]].concat(), "it answered org.freedesktop.DBus.Error.ServiceUnknown");
        let mut giant = sent(b'l', 2, 2, "", b"");
        giant[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        check([b"OK 1\r\n", &giant[..]].concat(), "it does not speak D-Bus as expected");
        let signals = sent(b'l', 4, 0, "", b"").repeat(super::MOST_MESSAGES + 1);
        check([b"OK 1\r\n", &signals[..]].concat(), "it does not speak D-Bus as expected");
    }

    /// Whatever byte is another, and wherever it ends: an answer or an error, no panic, no endless wait.
    #[test]
    fn no_byte_is_trusted() {
        let whole =
            [b"OK 1\r\n".to_vec(), sent(b'l', 2, 1, "", b""), sent(b'l', 2, 2, "a.Error", b"x")].concat();
        for at in 0..whole.len() {
            assert!(asked(&whole[..at]).0.is_err());
            for byte in 0..=255 {
                let mut other = whole.clone();
                other[at] = byte;
                let _ = asked(&other);
            }
        }
    }
}
