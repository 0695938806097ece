//! What InfluxDB says to a write of no rows, which changes nothing: every version before 3 looks at the token
//! or password, at the database or bucket, and at the right to write there before it looks for rows.
//!
//! Version 2 then says 400 `writing requires points`, version 1 and others 204. Version 3 makes a missing
//! database for whoever writes, even nothing; so it is asked `GET /ping`, which tells of the token and the version only.

use super::Api;
use crate::http_client::Answer;
use crate::sinks::Finding;

/// What is known of a server and what to do. `what` names where rows would go, `create`: whether version 1 may
/// make a missing database; `version`: which one the server says it is.
pub(super) fn judge(
    api: Api,
    create: bool,
    what: &str,
    answer: &Answer,
    version: Option<&str>,
) -> (Finding, String, String) {
    let body = answer.body.as_str();
    let has = |words: &str| body.contains(words);
    let refused = |advice: String| (Finding::Refused, answer.said(), advice);
    match answer.status {
        200..=299 if body.trim_start().starts_with('<') => refused(
            "that is a page for people, no InfluxDB: check the URL, and for a portal on the way".to_owned(),
        ),
        // Every version answers this question, and only 3 has what rows are written to.
        200..=299 if api == Api::V3 && version.is_some_and(is_older) => {
            refused(other_version(api).to_owned())
        }
        200..=299 if api == Api::V3 => {
            let said = format!("{}: the token is right; {what} is made with the first rows", answer.status);
            (Finding::Good, said, String::new())
        }
        200..=299 => (Finding::Good, format!("{}: {what} takes rows", answer.status), String::new()),
        400 if has("writing requires points") => {
            (Finding::Good, format!("400, as it should to no rows: {what} takes rows"), String::new())
        }
        400 if has("SSL certificate") => refused(
            "the server wants to see a certificate of dunlin's: set tls.cert_file and tls.key_file"
                .to_owned(),
        ),
        400 if has("HTTPS") => refused("there is TLS at this port: write https:// into the URL".to_owned()),
        404 if has("database not found") && create => {
            let advice = "nothing, if this user may create databases: dunlin then does so with the first rows \
                          (create_database)";
            (Finding::Unsure, format!("{what} is not there yet"), advice.to_owned())
        }
        404 if has("database not found") => {
            refused(format!("create {what} there, or set create_database = true"))
        }
        404 if has("organization") => {
            refused("org names no organisation of that server that this token may see".to_owned())
        }
        404 if has("bucket") => {
            refused(format!("create {what} there, or give the token the right to see it"))
        }
        404 => refused(other_version(api).to_owned()),
        500 if has("retention policy not found") => {
            refused("create the retention policy there, or leave out retention_policy".to_owned())
        }
        401 => refused(proof(api).to_owned()),
        403 => refused(format!("give this user or token the right to write to {what}")),
        408 | 425 | 429 | 500..=599 => {
            (Finding::Unreachable, answer.said(), "nothing is wrong on this side".to_owned())
        }
        _ => refused(answer.hint().to_owned()),
    }
}

/// Whether it is a version before 3.
fn is_older(version: &str) -> bool {
    let version = version.trim_start_matches('v');
    version.starts_with("1.") || version.starts_with("2.")
}

fn proof(api: Api) -> &'static str {
    match api {
        Api::V1 => "check username, and password or password_file",
        Api::V2 | Api::V3 => {
            "check token or token_file: a token of that server, whole, without quotes around it"
        }
    }
}

fn other_version(api: Api) -> &'static str {
    match api {
        Api::V1 => "is it InfluxDB 1? For version 2 write api = \"v2\", for 3 \"v3\"; check the URL's path",
        Api::V2 => "is it InfluxDB 2? For version 1 write api = \"v1\", for 3 \"v3\"; check the URL's path",
        Api::V3 => "is it InfluxDB 3? For version 1 write api = \"v1\", for 2 \"v2\"; check the URL's path",
    }
}

#[cfg(test)]
mod tests {
    use super::{Api, judge};
    use crate::http_client::Answer;
    use crate::sinks::Finding::{self, Good, Refused, Unreachable, Unsure};

    fn check(api: Api, create: bool, status: u16, body: &str, expected: Finding, advice: &str) {
        let answer = Answer { status, retry_after: None, body: body.to_owned() };
        let (finding, said, found) = judge(api, create, "database \"it\"", &answer, None);
        assert_eq!(finding, expected, "{status} {body}: {said}");
        assert!(said.contains(&status.to_string()) || finding == Unsure, "{said}");
        assert!(found.contains(advice) && found.is_empty() == advice.is_empty(), "{status} {body}: {found}");
    }

    #[test]
    fn what_servers_said_is_understood() {
        let v1 =
            |create, status, body, finding, advice| check(Api::V1, create, status, body, finding, advice);
        v1(true, 204, "", Good, "");
        v1(true, 404, r#"{"error":"database not found: \"it\""}"#, Unsure, "create_database");
        v1(false, 404, r#"{"error":"database not found: \"it\""}"#, Refused, "create database \"it\"");
        v1(true, 404, "404 page not found", Refused, "api = \"v2\"");
        v1(true, 401, r#"{"error":"unable to parse authentication credentials"}"#, Refused, "password_file");
        v1(true, 401, r#"{"error":"authorization failed"}"#, Refused, "password_file");
        v1(
            true,
            403,
            r#"{"error":"\"poor\" user is not authorized to write to database \"it\""}"#,
            Refused,
            "right",
        );
        v1(true, 500, r#"{"error":"retention policy not found: nope"}"#, Refused, "retention_policy");
        v1(true, 503, "", Unreachable, "nothing is wrong");
        v1(true, 200, "<html>Welcome aboard", Refused, "portal");
        v1(true, 400, "Client sent an HTTP request to an HTTPS server.", Refused, "https://");
        v1(true, 302, "", Refused, "redirects are not followed");
        v1(true, 407, "", Refused, "the proxy's username and password");
        v1(true, 418, "", Refused, "");
        let v2 = |status, body, finding, advice| check(Api::V2, false, status, body, finding, advice);
        v2(204, "", Good, "");
        v2(400, r#"{"code":"invalid","message":"writing requires points"}"#, Good, "");
        v2(401, r#"{"code":"unauthorized","message":"unauthorized access"}"#, Refused, "token_file");
        v2(
            403,
            r#"{"code":"forbidden","message":"insufficient permissions for write"}"#,
            Refused,
            "right to write",
        );
        v2(404, r#"{"code":"not found","message":"organization name \"o\" not found"}"#, Refused, "org");
        v2(404, r#"{"code":"not found","message":"bucket \"it\" not found"}"#, Refused, "create");
        v2(404, "404 page not found", Refused, "api = \"v1\"");
        let v3 = |status, body, finding, advice| check(Api::V3, false, status, body, finding, advice);
        v3(200, r#"{"version":"3.2.1","revision":"x","process_id":"y"}"#, Good, "");
        v3(401, "", Refused, "token_file");
        v3(404, "", Refused, "api = \"v1\"");
    }

    #[test]
    fn an_older_server_is_none_of_version_3() {
        let check = |api, version: Option<&str>, expected| {
            let answer = Answer { status: 204, retry_after: None, body: String::new() };
            let (finding, _, advice) = judge(api, true, "database \"it\"", &answer, version);
            assert_eq!(
                (finding, advice.contains("api = \"v1\"")),
                (expected, expected == Refused),
                "{version:?}"
            );
        };
        check(Api::V3, Some("1.6.7~rc0"), Refused);
        check(Api::V3, Some("v2.7.1"), Refused);
        check(Api::V3, Some("3.2.1"), Good);
        check(Api::V3, None, Good);
        check(Api::V1, Some("1.6.7~rc0"), Good);
    }
}
