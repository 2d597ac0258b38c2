//! The others: files, mail, data bases, RADIUS, news, telephony, a proxy, simple services.

use super::{Server, down, up};

pub(super) const SERVERS: &[Server] = &[
    Server {
        name: "vsftpd",
        start: r#"
mkdir -p /srv/ftp /run/vsftpd/empty /home/ftpu; chmod 755 /srv/ftp
echo "all is well" >/srv/ftp/health; echo "of a user" >/home/ftpu/mine
sed -i 's,^ftp:.*,ftp:x:708:708::/srv/ftp:/usr/sbin/nologin,' /etc/passwd
useradd -d /home/ftpu -s /bin/sh ftpu; echo ftpu:sesame | chpasswd
cat >/etc/lab/vsftpd.conf <<'END'
listen=YES
background=YES
anonymous_enable=YES
anon_root=/srv/ftp
local_enable=YES
delay_failed_login=0
delay_successful_login=0
secure_chroot_dir=/run/vsftpd/empty
pam_service_name=vsftpd
seccomp_sandbox=NO
END
vsftpd /etc/lab/vsftpd.conf
"#,
        tcp: &[21],
        tries: &[
            up("anonymous", "service=ftp\nrequest=\"health\"\nreceive=\"well\"", 21),
            up("login", "service=ftp\nlogin=\"ftpu\"\npasswd=\"sesame\"\nrequest=\"home/ftpu/mine\"\nreceive=\"of a user\"", 21),
            down("wrong password", "service=ftp\nlogin=\"ftpu\"\npasswd=\"wrong\"\nrequest=\"mine\"\nreceive=\".\"", 21, "530"),
            down("wrong answer", "service=ftp\nrequest=\"health\"\nreceive=\"ill\"", 21, "/ill/"),
            down("no such file", "service=ftp\nrequest=\"missing\"\nreceive=\".\"", 21, "550"),
        ],
        broken: &["service=ftp\nrequest=\"health\"\nreceive=\"well\""],
    },
    Server {
        name: "postfix",
        start: r#"
getent group postdrop >/dev/null || groupadd postdrop
mkdir -p /var/spool/postfix /var/lib/postfix; chown postfix /var/lib/postfix
cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf 2>/dev/null || :
sed -i 's/^\([a-z].*[[:space:]]\)y\([[:space:]]\)/\1n\2/' /etc/postfix/master.cf
echo 'submission inet n - n - - smtpd' >>/etc/postfix/master.cf
cat >/etc/postfix/main.cf <<'END'
compatibility_level = 3.6
myhostname = mail.test
mydestination = mail.test
inet_interfaces = all
inet_protocols = ipv4
alias_maps =
alias_database =
maillog_file = /var/log/postfix.log
mynetworks = 127.0.0.0/8
END
echo 'postlog unix-dgram n - n - 1 postlogd' >>/etc/postfix/master.cf
postfix -c /etc/postfix start 2>&1
"#,
        tcp: &[25, 587],
        tries: &[
            up("greeting and hello", "service=smtp", 25),
            up("greeting and hello", "service=submission", 587),
            down("a web server", "service=smtp", 80, ""),
        ],
        broken: &["service=smtp", "service=submission"],
    },
    Server {
        name: "mariadb",
        start: r#"
mkdir -p /var/lib/mysql /run/mysqld; chown mysql:mysql /var/lib/mysql /run/mysqld
mariadb-install-db --no-defaults --user=mysql --datadir=/var/lib/mysql --auth-root-authentication-method=normal >/var/log/install-db 2>&1
cat >/etc/lab/init.sql <<'END'
CREATE DATABASE d;
CREATE TABLE d.t (n INT);
INSERT INTO d.t VALUES (1);
CREATE TABLE d.empty (n INT);
CREATE USER 'u'@'%' IDENTIFIED BY 'sesame';
GRANT ALL ON d.* TO 'u'@'%';
END
setsid mariadbd --no-defaults --user=mysql --datadir=/var/lib/mysql --socket=/run/mysqld/s --skip-log-bin \
    --innodb-buffer-pool-size=16M --skip-name-resolve --init-file=/etc/lab/init.sql >/var/log/mariadb 2>&1 </dev/null &
"#,
        tcp: &[3306],
        tries: &[
            up("a row", "service=mysql\nlogin=\"u\"\npasswd=\"sesame\"\ndatabase=\"d\"\nrequest=\"SELECT n FROM t\"", 3306),
            down(
                "no row",
                "service=mysql\nlogin=\"u\"\npasswd=\"sesame\"\ndatabase=\"d\"\nrequest=\"SELECT n FROM empty\"",
                3306,
                "",
            ),
            down(
                "wrong password",
                "service=mysql\nlogin=\"u\"\npasswd=\"wrong\"\ndatabase=\"d\"\nrequest=\"SELECT 1\"",
                3306,
                "denied",
            ),
            down(
                "no such table",
                "service=mysql\nlogin=\"u\"\npasswd=\"sesame\"\ndatabase=\"d\"\nrequest=\"SELECT n FROM x\"",
                3306,
                "doesn't exist",
            ),
        ],
        broken: &["service=mysql\nlogin=\"u\"\npasswd=\"sesame\"\ndatabase=\"d\"\nrequest=\"SELECT 1\""],
    },
    Server {
        name: "postgresql",
        start: r#"
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
id postgres >/dev/null 2>&1 || useradd -m -s /bin/sh postgres
mkdir -p /var/lib/lab/pg /run/postgresql; chown postgres /var/lib/lab/pg /run/postgresql
as() { setpriv --reuid postgres --regid "$(id -g postgres)" --clear-groups "$@"; }
as $bin/initdb -D /var/lib/lab/pg -A trust --no-sync >/var/log/initdb 2>&1
printf '%s\n' 'local all all trust' 'host all all 127.0.0.1/32 scram-sha-256' >/var/lib/lab/pg/pg_hba.conf
as $bin/pg_ctl -D /var/lib/lab/pg -w -l /var/lib/lab/pg/log -o '-c listen_addresses=127.0.0.1 -c shared_buffers=16MB' start >/dev/null
as psql -q -c "CREATE USER u PASSWORD 'sesame'" -c 'CREATE DATABASE d OWNER u' -c 'CREATE TABLE public.empty (n int)' 
"#,
        tcp: &[5432],
        tries: &[
            up("a row", "service=pgsql\nlogin=\"u\"\npasswd=\"sesame\"\ndatabase=\"d\"\nrequest=\"SELECT 1\"", 5432),
            down(
                "no row",
                "service=pgsql\nlogin=\"u\"\npasswd=\"sesame\"\ndatabase=\"d\"\nrequest=\"SELECT 1 WHERE false\"",
                5432,
                "",
            ),
            down(
                "wrong password",
                "service=pgsql\nlogin=\"u\"\npasswd=\"wrong\"\ndatabase=\"d\"\nrequest=\"SELECT 1\"",
                5432,
                "password",
            ),
            down(
                "no such table",
                "service=pgsql\nlogin=\"u\"\npasswd=\"sesame\"\ndatabase=\"d\"\nrequest=\"SELECT n FROM x\"",
                5432,
                "does not exist",
            ),
        ],
        broken: &["service=pgsql\nlogin=\"u\"\npasswd=\"sesame\"\ndatabase=\"d\"\nrequest=\"SELECT 1\""],
    },
    Server {
        name: "freeradius",
        start: r#"
cat >/etc/lab/users <<'END'
nemo Cleartext-Password := "sesame"
END
mkdir -p /etc/lab/raddb /run/freeradius
cat >/etc/lab/raddb/radiusd.conf <<'END'
prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = /etc/lab/raddb
logdir = /var/log
run_dir = /run/freeradius
name = radiusd
log {
    destination = files
    file = /var/log/radius.log
    auth = yes
}
security {
    reject_delay = 0
    require_message_authenticator = yes
}
client here {
    ipaddr = 127.0.0.1
    secret = testing123
    require_message_authenticator = yes
}
modules {
    pap {
    }
    files {
        usersfile = /etc/lab/users
    }
}
server default {
    listen {
        type = auth
        ipaddr = *
        port = 1812
    }
    authorize {
        files
        pap
    }
    authenticate {
        Auth-Type PAP {
            pap
        }
    }
}
END
mkdir -p /etc/lab/raddb/certs
freeradius -d /etc/lab/raddb
for n in 1 2 3 4 5 6 7 8 9 10; do grep -q 'Ready to process' /var/log/radius.log && break; sleep 0.5; done
"#,
        tcp: &[],
        tries: &[
            up("login", "service=radius\nlogin=\"nemo\"\npasswd=\"sesame\"\nsecret=\"testing123\"", 1812),
            down(
                "wrong password",
                "service=radius\nlogin=\"nemo\"\npasswd=\"wrong\"\nsecret=\"testing123\"",
                1812,
                "Access-Reject",
            ),
            down("wrong secret", "service=radius\nlogin=\"nemo\"\npasswd=\"sesame\"\nsecret=\"other\"", 1812, ""),
        ],
        broken: &["service=radius\nlogin=\"nemo\"\npasswd=\"sesame\"\nsecret=\"s\""],
    },
    Server {
        name: "sn",
        start: r#"
mkdir -p /var/spool/sn
printf '%s\n' '#!/bin/sh' 'exec /usr/sbin/snntpd.bin 2>/dev/null' >/etc/lab/snntpd
chmod 755 /etc/lab/snntpd
cat >/etc/lab/news.conf <<'END'
service news
{
    type = UNLISTED
    socket_type = stream
    protocol = tcp
    user = root
    wait = no
    port = 119
    instances = UNLIMITED
    server = /etc/lab/snntpd
}
END
xinetd -f /etc/lab/news.conf -pidfile /run/news.pid
"#,
        tcp: &[119],
        tries: &[up("greeting", "service=nntp", 119), down("a web server", "service=nntp", 80, "")],
        broken: &["service=nntp"],
    },
    Server {
        name: "kamailio",
        start: r#"
cat >/etc/lab/kamailio.cfg <<'END'
children=1
tcp_children=1
log_stderror=no
fork=yes
listen=udp:127.0.0.1:5060
listen=tcp:127.0.0.1:5060
loadmodule "sl.so"
loadmodule "pv.so"
request_route {
    if ($rU == "nobody") { sl_send_reply("404", "Not Found"); exit; }
    sl_send_reply("200", "OK");
}
END
mkdir -p /run/kamailio
kamailio -f /etc/lab/kamailio.cfg -P /run/kamailio/pid -Y /run/kamailio -u root -g root >/var/log/kamailio 2>&1
"#,
        tcp: &[5060],
        tries: &[
            up("OPTIONS", "protocol=udp\nservice=sip\nlogin=\"me@example.org\"", 5060),
            up("OPTIONS", "protocol=tcp\nservice=sip\nlogin=\"me@example.org\"", 5060),
            down("no such user", "protocol=udp\nservice=sip\nlogin=\"nobody@example.org\"", 5060, "404"),
            down("no such user", "protocol=tcp\nservice=sip\nlogin=\"nobody@example.org\"", 5060, "404"),
        ],
        broken: &["protocol=udp\nservice=sip\nlogin=\"a@b\"", "protocol=tcp\nservice=sip\nlogin=\"a@b\""],
    },
    Server {
        name: "squid",
        start: r#"
cat >/etc/lab/squid.conf <<'END'
http_port 3128
http_access allow all
cache deny all
pid_filename /run/squid.pid
access_log none
cache_log /var/log/squid.log
coredump_dir /tmp
pinger_enable off
cache_effective_user proxy
shutdown_lifetime 0
END
: >/var/log/squid.log; chown proxy:proxy /var/log/squid.log
squid -f /etc/lab/squid.conf
"#,
        tcp: &[3128],
        tries: &[
            up("a page", "service=http_proxy\nrequest=\"http://127.0.0.1:80/health\"\nreceive=\"well\"", 3128),
            down("wrong answer", "service=http_proxy\nrequest=\"http://127.0.0.1:80/health\"\nreceive=\"ill\\d\"", 3128, "/ill"),
            down("the server behind is dead", "service=http_proxy\nrequest=\"http://127.0.0.1:7001/\"", 3128, "503"),
            down("no proxy", "service=http_proxy\nrequest=\"http://127.0.0.1:80/missing\"", 80, "404"),
        ],
        broken: &["service=http_proxy\nrequest=\"http://127.0.0.1:80/health\"\nreceive=\"well\""],
    },
    Server {
        name: "xinetd",
        start: r#"
cat >/etc/lab/xinetd.conf <<'END'
service echo
{
    type = INTERNAL UNLISTED
    id = echo-stream
    socket_type = stream
    protocol = tcp
    user = root
    wait = no
    port = 7
}
service echo
{
    type = INTERNAL UNLISTED
    id = echo-dgram
    socket_type = dgram
    protocol = udp
    user = root
    wait = yes
    port = 7
}
service daytime
{
    type = INTERNAL UNLISTED
    id = daytime-stream
    socket_type = stream
    protocol = tcp
    user = root
    wait = no
    port = 13
}
END
xinetd -f /etc/lab/xinetd.conf -pidfile /run/xinetd.pid
"#,
        tcp: &[7, 13],
        tries: &[
            up("echo", "service=simpletcp\nrequest=\"ping\\n\"\nreceive=\"^ping$\"", 7),
            down("wrong answer", "service=simpletcp\nrequest=\"ping\\n\"\nreceive=\"pong\"", 7, "/pong/"),
            up("daytime", "service=simpletcp\nrequest=\"\\n\"\nreceive=\"\\d\\d:\\d\\d\"", 13),
            up("echo", "protocol=udp\nservice=simpletcp\nrequest=\"ping\\n\"\nreceive=\"^ping$\"", 7),
        ],
        broken: &[
            "service=simpletcp\nrequest=\"ping\\n\"\nreceive=\"never\"",
            "protocol=udp\nservice=simpletcp\nrequest=\"x\"\nreceive=\"never\"",
        ],
    },
];
