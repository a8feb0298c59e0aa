#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Real servers for the tests, on loopback, with data directories of their own.
#
#   tools/services.sh install            install what is missing (Debian packages; as root or with
#                                        sudo); also Python, make and git where they are missing
#   tools/services.sh start [NAME...]    install, start, then print the env lines
#   tools/services.sh stop [NAME...]     stop them; the data directories stay
#   tools/services.sh status | env       what runs; `eval "$(tools/services.sh env)"` in a shell
#   tools/services.sh wipe               stop and remove everything
#
# NAME: postgresql mariadb rabbitmq keystone gnocchi (default: all). Prometheus is only installed: the
# tests start their own. Keystone and Gnocchi come from PyPI (services_pypi.sh); gnocchi brings
# postgresql and keystone along, keystone the clients of the API and tempest: nobody uses them
# without it.
# Everything is kept below CLOUDKITTY_SERVICES_HOME (default ${TMPDIR:-/tmp}/cloudkitty-services-UID).
# Nothing of the distribution's own clusters is touched, no system service is started.
# The servers trade durability for speed unless CLOUDKITTY_SERVICES_DURABLE=1 (for benchmarks).
# Exit status: 0 all that was asked for runs, 1 something is missing (the reason is on stderr).
set -u

HOME_DIR=${CLOUDKITTY_SERVICES_HOME:-${TMPDIR:-/tmp}/cloudkitty-services-$(id -u)}
DURABLE=${CLOUDKITTY_SERVICES_DURABLE:-0}
SERVICES="keystone gnocchi postgresql mariadb rabbitmq"
RABBITMQ_BIN=/usr/lib/rabbitmq/bin

say() { echo "services: $*" >&2; }
is_root() { [ "$(id -u)" = 0 ]; }
# Run as root; a normal user needs sudo that asks for nothing.
privileged() { if is_root; then "$@"; else sudo -n "$@"; fi; }
can_be_root() { is_root || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }; }

# PostgreSQL and MariaDB refuse to run as root: then they run as the users of their packages.
as() {
    local user=$1
    shift
    if is_root; then
        setpriv --reuid="$user" --regid="$(id -gn "$user")" --init-groups "$@"
    else
        "$@"
    fi
}

prepare_home() {
    mkdir -p "$HOME_DIR/run" "$HOME_DIR/log" || exit 1
    is_root && chmod 755 "$HOME_DIR"
    return 0
}

# own USER DIR: make DIR, private to USER, and check that USER can get there.
own() {
    mkdir -p "$2" || return 1
    chmod 700 "$2"
    is_root || return 0
    chown "$1" "$2" || return 1
    as "$1" test -x "$2" && return 0
    say "user $1 cannot enter $2: set CLOUDKITTY_SERVICES_HOME to a place that other users can enter"
    return 1
}

# ---- packages ---------------------------------------------------------------------------------

pg_bin() {
    local bin found=
    for bin in /usr/lib/postgresql/*/bin; do [ -x "$bin/initdb" ] && found=$bin; done
    if [ -z "$found" ] && command -v initdb >/dev/null; then
        found=$(dirname "$(command -v initdb)")
    fi
    echo "$found"
}
mariadb_bin() { PATH=$PATH:/usr/sbin command -v mariadbd; }
have() {
    case $1 in
        postgresql) [ -n "$(pg_bin)" ] ;;
        mariadb) [ -n "$(mariadb_bin)" ] ;;
        rabbitmq) [ -x $RABBITMQ_BIN/rabbitmq-server ] && command -v epmd >/dev/null ;;
        prometheus) command -v prometheus >/dev/null && command -v promtool >/dev/null ;;
        python | keystone | gnocchi) python3 -c 'import ensurepip' 2>/dev/null ;;
        make | git) command -v "$1" >/dev/null ;;
    esac
}
package() {
    case $1 in
        postgresql) echo postgresql ;;
        mariadb) echo mariadb-server ;;
        rabbitmq) echo rabbitmq-server ;;
        python | keystone | gnocchi) echo python3 python3-venv ;;
        *) echo "$1" ;;
    esac
}

# install NAME...: the Debian packages of those that are missing.
install() {
    local name missing="" policy=/usr/sbin/policy-rc.d made="" rc
    for name in "$@"; do have "$name" || missing="$missing $(package "$name")"; done
    [ -z "$missing" ] && return 0
    if ! can_be_root || ! command -v apt-get >/dev/null; then
        say "not installed:$missing (as root or with sudo on Debian or Ubuntu this script installs them)"
        return 1
    fi
    say "installing:$missing"
    # The packages must not start servers of their own.
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | privileged tee $policy >/dev/null
        privileged chmod 755 $policy
        made=1
    fi
    {
        privileged apt-get -o DPkg::Lock::Timeout=300 -qq update
        # shellcheck disable=SC2086  # a list of packages
        privileged env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq -y \
            --no-install-recommends install $missing
    } >"$HOME_DIR/log/apt.log" 2>&1 </dev/null
    rc=$?
    [ -n "$made" ] && privileged rm -f $policy
    if [ $rc != 0 ]; then
        tail -n 5 "$HOME_DIR/log/apt.log" >&2
        say "apt-get could not install:$missing (see $HOME_DIR/log/apt.log)"
    fi
    return $rc
}

# ---- processes --------------------------------------------------------------------------------

# A process is known by its number and its start time: numbers are used again.
born() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
running() {
    local pid born_at port
    read -r pid born_at port 2>/dev/null <"$HOME_DIR/run/$1" || return 1
    [ -n "$pid" ] && [ -n "$born_at" ] && [ "$(born "$pid")" = "$born_at" ]
} 2>/dev/null
port_of() { cut -d' ' -f3 "$HOME_DIR/run/$1" 2>/dev/null; }
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# launch NAME USER PORT COMMAND...: in a session of its own, then wait for the port, if it has one.
launch() {
    local name=$1 user=$2 port=$3 pid try
    shift 3
    if is_root; then
        set -- setpriv --reuid="$user" --regid="$(id -gn "$user")" --init-groups "$@"
    fi
    setsid "$@" >>"$HOME_DIR/log/$name.log" 2>&1 </dev/null &
    pid=$!
    echo "$pid $(born "$pid") $port" >"$HOME_DIR/run/$name"
    [ -n "$port" ] || return 0
    for try in $(seq 300); do
        answers "$port" && return 0
        running "$name" || break
        sleep 0.1
    done
    tail -n 5 "$HOME_DIR/log/$name.log" >&2
    say "$name did not start (see $HOME_DIR/log/$name.log)"
    halt "$name"
    return 1
}

halt() {
    local pid try other=
    if [ "$1" = gnocchi ]; then
        halt gnocchi-metricd &
        other=$!
    fi
    if running "$1"; then
        pid=$(cut -d' ' -f1 "$HOME_DIR/run/$1")
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
        if [ "$1" = postgresql ]; then kill -INT "$pid"; else kill -TERM "$pid"; fi
        for try in $(seq 150); do
            running "$1" || break
            sleep 0.1
        done
        running "$1" && kill -KILL -- "-$pid" 2>/dev/null
    fi
    rm -f "$HOME_DIR/run/$1"
    if [ "$1" = rabbitmq ]; then halt epmd; fi
    [ -z "$other" ] || wait "$other"
}

# ---- the servers ------------------------------------------------------------------------------

start_postgresql() {
    local bin data=$HOME_DIR/postgresql port fast=()
    bin=$(pg_bin)
    own postgres "$data" || return 1
    if [ ! -e "$data/PG_VERSION" ]; then
        # Read by the user of the server, who may not enter the current directory.
        (cd / && as postgres "$bin/initdb" -D "$data" -U cloudkitty -A trust -E UTF8 \
            --locale=C.UTF-8 --no-sync) >"$HOME_DIR/log/initdb.log" 2>&1 </dev/null || {
            tail -n 5 "$HOME_DIR/log/initdb.log" >&2
            say "initdb failed (see $HOME_DIR/log/initdb.log)"
            return 1
        }
    fi
    [ "$DURABLE" = 1 ] || fast=(-c fsync=off -c synchronous_commit=off -c full_page_writes=off)
    port=$(free_port)
    launch postgresql postgres "$port" "$bin/postgres" -D "$data" -p "$port" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 \
        -c shared_buffers=128MB "${fast[@]}" || return 1
    local try
    for try in $(seq 100); do
        "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" && return 0
        sleep 0.1
    done
    say "postgresql accepts no connections (see $HOME_DIR/log/postgresql.log)"
    return 1
}

start_mariadb() {
    local data=$HOME_DIR/mariadb port fast=() who=()
    own mysql "$data" || return 1
    if [ ! -d "$data/mysql" ]; then
        is_root && who=(--user=mysql)
        mariadb-install-db --no-defaults "${who[@]}" --datadir="$data" --skip-test-db \
            --auth-root-authentication-method=normal >"$HOME_DIR/log/install-db.log" 2>&1 \
            </dev/null || {
            tail -n 5 "$HOME_DIR/log/install-db.log" >&2
            say "mariadb-install-db failed (see $HOME_DIR/log/install-db.log)"
            return 1
        }
    fi
    [ "$DURABLE" = 1 ] || fast=(--innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0)
    port=$(free_port)
    launch mariadb mysql "$port" "$(mariadb_bin)" --no-defaults --datadir="$data" \
        --port="$port" --bind-address=127.0.0.1 --socket="$data/server.sock" \
        --pid-file="$data/server.pid" --max-connections=300 --character-set-server=utf8mb4 \
        --innodb-buffer-pool-size=128M "${fast[@]}"
}

# With a name service (epmd) of its own: that of the host would be left running, on all addresses.
start_rabbitmq() {
    local data=$HOME_DIR/rabbitmq port epmd
    own rabbitmq "$data" || return 1
    port=$(free_port) epmd=$(free_port)
    # A cookie that nobody else has, no plugins, and guest from loopback, which is all there is.
    as rabbitmq sh -c 'umask 077; [ -e "$1/.erlang.cookie" ] || od -An -N16 -tx1 /dev/urandom \
        | tr -d " \n" >"$1/.erlang.cookie"; chmod 400 "$1/.erlang.cookie"; echo "[]." >"$1/plugins"
        echo "vm_memory_high_watermark.absolute = 512MB" >"$1/rabbitmq.conf"
        echo "disk_free_limit.absolute = 50MB" >>"$1/rabbitmq.conf"' sh "$data" || return 1
    launch epmd rabbitmq "$epmd" epmd -address 127.0.0.1 -port "$epmd" || return 1
    launch rabbitmq rabbitmq "$port" env HOME="$data" ERL_EPMD_ADDRESS=127.0.0.1 \
        ERL_EPMD_PORT="$epmd" RABBITMQ_NODENAME=cloudkitty@localhost RABBITMQ_BASE="$data" \
        RABBITMQ_MNESIA_BASE="$data/mnesia" RABBITMQ_LOG_BASE="$data/log" RABBITMQ_LOGS=- \
        RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_CONFIG_FILE="$data/rabbitmq" \
        RABBITMQ_ADVANCED_CONFIG_FILE="$data/none" RABBITMQ_ENABLED_PLUGINS_FILE="$data/plugins" \
        RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$port" \
        RABBITMQ_DIST_PORT="$(free_port)" RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel \
        inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none" $RABBITMQ_BIN/rabbitmq-server && return 0
    halt epmd
    return 1
}

start() {
    local name rc=0 later=()
    case " $* " in *" gnocchi "*) set -- keystone postgresql "$@" ;; esac
    install "$@" prometheus || rc=1
    # What comes from PyPI takes half a minute the first time: meanwhile the others.
    for name in $(from_pypi "$@"); do
        have keystone && make_pip || { rc=1 && break; }
        { provide "$name" && { [ "$name" != keystone ] || running keystone || start_keystone; }; } &
        later+=($!)
    done
    for name in "$@"; do
        case $name in keystone | gnocchi) continue ;; esac
        running "$name" && continue
        if have "$name"; then "start_$name" || rc=1; else rc=1; fi
    done
    for name in "${later[@]}"; do wait "$name" || rc=1; done
    # It needs two of the others.
    case " $* " in *" gnocchi "*) gnocchi_current || start_gnocchi || rc=1 ;; esac
    return $rc
}

print_env() {
    running postgresql && echo "export CLOUDKITTY_TEST_POSTGRESQL_URL=postgresql+psycopg2://cloudkitty@127.0.0.1:$(port_of postgresql)/postgres"
    running keystone && echo "export CLOUDKITTY_TEST_KEYSTONE_URL=http://admin:$KEYSTONE_PASSWORD@127.0.0.1:$(port_of keystone)/v3"
    if running gnocchi; then
        echo "export CLOUDKITTY_TEST_GNOCCHI_URL=http://127.0.0.1:$(port_of gnocchi)"
        echo "export CLOUDKITTY_TEST_GNOCCHI_KEYSTONE_URL=http://127.0.0.1:$(port_of gnocchi)/metric"
    fi
    [ -e "$HOME_DIR/tempest/made" ] && echo "export CLOUDKITTY_TEST_TEMPEST=$HOME_DIR/tempest"
    [ -e "$HOME_DIR/clients/made" ] && echo "export CLOUDKITTY_TEST_CLIENTS=$HOME_DIR/clients"
    running mariadb && echo "export CLOUDKITTY_TEST_MYSQL_URL=mysql+pymysql://root@127.0.0.1:$(port_of mariadb)/mysql"
    running rabbitmq && echo "export CLOUDKITTY_TEST_RABBITMQ_URL=rabbit://guest:guest@127.0.0.1:$(port_of rabbitmq)/"
    return 0
}

# shellcheck source=tools/services_pypi.sh
. "$(dirname "${BASH_SOURCE[0]}")/services_pypi.sh"

command=${1:-}
[ $# -gt 0 ] && shift
# shellcheck disable=SC2086  # a list of names
[ $# -gt 0 ] || set -- $SERVICES
for name in "$@"; do
    case " $SERVICES " in *" $name "*) ;; *) say "no such service: $name (there are: $SERVICES)"; exit 2 ;; esac
done
prepare_home
case $command in
    install) install python make git "$@" prometheus ;;
    start)
        start "$@"
        rc=$?
        print_env
        exit $rc
        ;;
    stop)
        # All at once: each takes seconds.
        for name in "$@"; do halt "$name" & done
        wait
        ;;
    status)
        for name in "$@"; do
            if running "$name"; then echo "$name: port $(port_of "$name")"; else echo "$name: down"; fi
        done
        if have prometheus; then echo "prometheus: installed"; else echo "prometheus: missing"; fi
        ;;
    env) print_env ;;
    wipe)
        for name in "$@"; do
            halt "$name"
            rm -rf "${HOME_DIR:?}/$name" "$HOME_DIR/log/$name.log"
            if [ "$name" = keystone ]; then rm -rf "${HOME_DIR:?}/clients" "${HOME_DIR:?}/tempest"; fi
        done
        [ -n "$(ls "$HOME_DIR/run")" ] || rm -rf "${HOME_DIR:?}/run" "$HOME_DIR/log" "$HOME_DIR/pip"
        rmdir "$HOME_DIR" 2>/dev/null || true
        ;;
    *)
        sed -n '4,20s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
