//! What to do when there is no answer, by the words in which the system and the TLS library say why.
//!
//! The words are those of Linux, rustls and hyper. Where none is met there is no advice: the reason
//! itself is always told.

/// Words of a reason, and what mends it. The first that are met count.
const ADVICE: &[(&str, &str)] = &[
    (
        "the proxy cannot be reached",
        "the proxy comes before the server: check the address in proxy, and whether it runs",
    ),
    (
        "UnknownIssuer",
        "the server's certificate is of an authority that this machine does not know: set tls.ca_file to that \
         authority's certificate, or install it here (update-ca-certificates)",
    ),
    ("SelfSigned", "the server signed its certificate itself: set tls.ca_file to a copy of it"),
    (
        "CaUsedAsEndEntity",
        "the server signed its certificate itself and marked it as an authority's: give it one that an authority has \
         signed, with that authority's in tls.ca_file",
    ),
    (
        "not valid for name",
        "the certificate is for another name: write that name into the URL, or set tls.server_name to it",
    ),
    (
        "certificate expired",
        "the server's certificate is too old, unless the clock here is wrong (see `date`): renew it",
    ),
    ("Expired", "the server's certificate is too old, unless the clock here is wrong (see `date`): renew it"),
    ("not valid yet", "the server's certificate is of the future: is the clock here right (see `date`)?"),
    ("NotValidYet", "the server's certificate is of the future: is the clock here right (see `date`)?"),
    (
        "CertificateRequired",
        "the server wants to see a certificate of dunlin's: set tls.cert_file and tls.key_file",
    ),
    ("InvalidContentType", "there is no TLS at this port: write http:// into the URL, or another port"),
    ("ProtocolVersion", "the server speaks no TLS newer than 1.1: update it"),
    ("HandshakeFailure", "client and server have no cipher in common, or it wants a certificate of dunlin's"),
    ("lookup address", "this machine finds no address for the name: check its spelling in the URL, and DNS"),
    ("looked up", "this machine finds no address for the name: check its spelling, and DNS"),
    (
        "onnection refused",
        "nothing listens at this port: does the server run, and is the port the right one?",
    ),
    ("unreachable", "no way leads there from this machine: check the network and the address"),
    ("No route to host", "no way leads there from this machine: check the network and the address"),
    ("timed out", "nothing answers: check the address, and for a firewall on the way"),
    (
        "onnection reset",
        "the connection was cut: check for a firewall or proxy on the way, and https:// where http:// is meant",
    ),
    (
        "SendRequest",
        "something listens at this port that does not speak HTTP, or not to dunlin: check the port, and write https:// \
         if it wants TLS",
    ),
    ("No such file", "nothing is at this path: does the server run?"),
    ("ermission denied", "this user may not: check owner and mode"),
];

/// What to do about a reason; empty if nothing is known.
pub fn advice(reason: &str) -> &'static str {
    ADVICE.iter().find(|(words, _)| reason.contains(words)).map_or("", |(_, advice)| advice)
}

#[cfg(test)]
mod tests {
    use super::advice;

    #[test]
    fn a_reason_has_its_advice() {
        let check = |reason: &str, expected: &str| {
            let found = advice(reason);
            assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{reason}: {found}");
        };
        check("cannot connect: invalid peer certificate: UnknownIssuer", "tls.ca_file");
        check(
            "cannot connect: invalid peer certificate: certificate not valid for name \"127.0.0.1\"; certificate is only valid for DnsName(\"localhost\")",
            "tls.server_name",
        );
        check("cannot connect: invalid peer certificate: certificate expired: verified at ...", "renew");
        check("the request failed: received fatal alert: CertificateRequired", "tls.cert_file");
        check("cannot connect: received corrupt message of type InvalidContentType", "http://");
        check("cannot connect: tcp connect error: Connection refused (os error 111)", "nothing listens");
        check(
            "cannot connect: dns error: failed to lookup address information: Name or service not known",
            "DNS",
        );
        check("timed out", "firewall");
        check(
            "the proxy cannot be reached: tcp connect error: Connection refused (os error 111)",
            "in proxy",
        );
        check(
            "the request failed: client error (SendRequest): connection closed before message completed",
            "https://",
        );
        check("something new", "");
    }
}
