//! Web, mail boxes, directory, names.

use super::{Server, down, up};

pub(super) const SERVERS: &[Server] = &[
    Server {
        name: "nginx",
        start: r#"
mkdir -p /var/lib/lab/www /var/log/nginx /var/lib/nginx
echo "all is well" >/var/lib/lab/www/health
cat >/etc/lab/nginx.conf <<'END'
user root;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events {}
http {
    access_log off;
    ssl_certificate /etc/lab/cert.pem;
    ssl_certificate_key /etc/lab/key.pem;
    server { listen 80 default_server; listen 443 ssl; root /var/lib/lab/www; }
    server { listen 80; server_name www.test; return 200 "another host"; }
}
END
nginx -c /etc/lab/nginx.conf
"#,
        tcp: &[80, 443],
        tries: &[
            up("a page", "service=http\nrequest=\"health\"\nreceive=\"is w.ll\"", 80),
            up("HEAD", "service=http\nhttpmethod=HEAD\nrequest=\"health\"", 80),
            up("virtualhost", "service=http\nvirtualhost=www.test\nreceive=\"another host\"", 80),
            down("wrong answer", "service=http\nrequest=\"health\"\nreceive=\"ill\\b\\d\"", 80, "/ill"),
            down("no such page", "service=http\nrequest=\"missing\"", 80, "404"),
            down("a TLS port", "service=http\nrequest=\"health\"", 443, "400"),
            up("own certificate", "service=https\nrequest=\"health\"\nreceive=\"well\"", 443),
            down("no TLS there", "service=https\nrequest=\"health\"", 80, ""),
            down("verified by nobody", "service=https\nrequest=\"health\"\n#lvs-ha: tls-verify yes", 443, "UnknownIssuer"),
            up(
                "verified",
                "service=https\nvirtualhost=www.test\nrequest=\"health\"\n#lvs-ha: tls-verify yes\n#lvs-ha: tls-ca /etc/lab/cert.pem",
                443,
            ),
            down(
                "another's name",
                "service=https\nvirtualhost=other.test\nrequest=\"health\"\n#lvs-ha: tls-verify yes\n#lvs-ha: tls-ca /etc/lab/cert.pem",
                443,
                "not valid for name",
            ),
        ],
        broken: &["service=http\nreceive=\"never\"", "service=https\nreceive=\"never\""],
    },
    Server {
        name: "dovecot",
        start: r#"
mkdir -p /var/lib/lab/mail/u; chown -R vmail:vmail /var/lib/lab/mail
cat >/etc/lab/dovecot.conf <<'END'
protocols = imap pop3
log_path = /var/log/dovecot.log
ssl = yes
ssl_cert = </etc/lab/cert.pem
ssl_key = </etc/lab/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain cram-md5 apop
mail_location = maildir:/var/lib/lab/mail/%u
first_valid_uid = 1
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
passdb {
  driver = passwd-file
  args = scheme=plain /etc/lab/mailboxes
}
userdb {
  driver = static
  args = uid=vmail gid=vmail home=/var/lib/lab/mail/%u
}
END
echo 'u:sesame' >/etc/lab/mailboxes
dovecot -c /etc/lab/dovecot.conf
"#,
        tcp: &[110, 143, 993, 995],
        tries: &[
            up("greeting", "service=pop", 110),
            up("login", "service=pop\nlogin=\"u\"\npasswd=\"sesame\"", 110),
            down("wrong password", "service=pop\nlogin=\"u\"\npasswd=\"wrong\"", 110, "-ERR"),
            down("an IMAP server", "service=pop", 143, "* OK"),
            up("login", "service=pops\nlogin=\"u\"\npasswd=\"sesame\"", 995),
            down("wrong password", "service=pops\nlogin=\"u\"\npasswd=\"wrong\"", 995, "-ERR"),
            down("no TLS there", "service=pops", 110, ""),
            up("greeting", "service=imap", 143),
            up("login", "service=imap\nlogin=\"u\"\npasswd=\"sesame\"", 143),
            down("wrong password", "service=imap\nlogin=\"u\"\npasswd=\"wrong\"", 143, "NO"),
            down("a POP server", "service=imap", 110, "+OK"),
            up("login", "service=imaps\nlogin=\"u\"\npasswd=\"sesame\"", 993),
            up(
                "verified",
                "service=imaps\n#lvs-ha: tls-verify yes\n#lvs-ha: tls-ca /etc/lab/cert.pem\n#lvs-ha: tls-name www.test",
                993,
            ),
            down("verified by nobody", "service=imaps\n#lvs-ha: tls-verify yes", 993, "UnknownIssuer"),
        ],
        broken: &[
            "service=pop",
            "service=pops",
            "service=imap\nlogin=\"u\"\npasswd=\"p\"",
            "service=imaps\nlogin=\"u\"\npasswd=\"p\"",
        ],
    },
    Server {
        name: "slapd",
        start: r#"
mkdir -p /var/lib/lab/ldap /run/slapd
cat >/etc/lab/slapd.conf <<'END'
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile /run/slapd/slapd.pid
TLSCertificateFile /etc/lab/cert.pem
TLSCertificateKeyFile /etc/lab/key.pem
database mdb
maxsize 10485760
suffix "dc=test"
rootdn "cn=admin,dc=test"
rootpw sesame
directory /var/lib/lab/ldap
END
printf '%s\n' 'dn: dc=test' 'objectClass: dcObject' 'objectClass: organization' 'dc: test' 'o: test' | slapadd -f /etc/lab/slapd.conf
slapd -f /etc/lab/slapd.conf -h 'ldap:/// ldaps:///'
"#,
        tcp: &[389, 636],
        tries: &[
            up("anonymous", "service=ldap\nrequest=\"dc=test\"\nreceive=\"^dc=test$\"", 389),
            up("login", "service=ldap\nlogin=\"cn=admin,dc=test\"\npasswd=\"sesame\"\nrequest=\"dc=test\"", 389),
            down(
                "wrong password",
                "service=ldap\nlogin=\"cn=admin,dc=test\"\npasswd=\"wrong\"\nrequest=\"dc=test\"",
                389,
                "invalidCredentials",
            ),
            down("no such entry", "service=ldap\nrequest=\"ou=none,dc=test\"", 389, ""),
            down("wrong answer", "service=ldap\nrequest=\"dc=test\"\nreceive=\"^other\"", 389, "/^other/"),
            up("anonymous", "service=ldaps\nrequest=\"dc=test\"", 636),
            up(
                "verified",
                "service=ldaps\nrequest=\"dc=test\"\n#lvs-ha: tls-verify yes\n#lvs-ha: tls-ca /etc/lab/cert.pem\n#lvs-ha: tls-name www.test",
                636,
            ),
            down("verified by nobody", "service=ldaps\nrequest=\"dc=test\"\n#lvs-ha: tls-verify yes", 636, "UnknownIssuer"),
            down("no TLS there", "service=ldaps\nrequest=\"dc=test\"", 389, ""),
        ],
        broken: &["service=ldap\nrequest=\"dc=test\"", "service=ldaps\nrequest=\"dc=test\""],
    },
    Server {
        name: "unbound",
        start: r#"
cat >/etc/lab/unbound.conf <<'END'
server:
    interface: 127.0.0.1
    username: ""
    chroot: ""
    directory: "/etc/lab"
    pidfile: "/run/unbound.pid"
    local-zone: "test." static
    local-data: "www.test. A 192.0.2.7"
    local-data: "six.test. AAAA 2001:db8::7"
    local-data: "other.test. CNAME www.test."
    local-data-ptr: "192.0.2.7 www.test"
remote-control:
    control-enable: no
END
unbound -c /etc/lab/unbound.conf
"#,
        tcp: &[53],
        tries: &[
            up("A", "protocol=udp\nservice=dns\nrequest=\"www.test\"\nreceive=\"^192.0.2.7$\"", 53),
            up("AAAA", "protocol=udp\nservice=dns\nrequest=\"six.test\"\nreceive=\"2001:db8::7\"", 53),
            up("PTR", "protocol=udp\nservice=dns\nrequest=\"192.0.2.7\"\nreceive=\"www.test\"", 53),
            down("wrong address", "protocol=udp\nservice=dns\nrequest=\"www.test\"\nreceive=\"192.0.2.8\"", 53, "192.0.2.7"),
            down("no such name", "protocol=udp\nservice=dns\nrequest=\"none.test\"\nreceive=\".\"", 53, ""),
            up("A", "protocol=tcp\nservice=dns\nrequest=\"www.test\"\nreceive=\"192.0.2.7\"", 53),
            up("AAAA", "protocol=tcp\nservice=dns\nrequest=\"six.test\"\nreceive=\"2001:db8::7\"", 53),
            up("PTR", "protocol=tcp\nservice=dns\nrequest=\"192.0.2.7\"\nreceive=\"www.test\"", 53),
            down("no such name", "protocol=tcp\nservice=dns\nrequest=\"none.test\"\nreceive=\".\"", 53, ""),
        ],
        broken: &[
            "protocol=udp\nservice=dns\nrequest=\"www.test\"\nreceive=\".\"",
            "protocol=tcp\nservice=dns\nrequest=\"www.test\"\nreceive=\".\"",
        ],
    },
];
