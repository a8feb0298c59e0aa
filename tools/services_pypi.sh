# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What tools/services.sh takes from PyPI, each in a virtual environment of its own: Keystone with
# SQLite, Gnocchi with PostgreSQL, and programs that only tests run (clients of the API, tempest).
# Sourced by tools/services.sh, whose helpers and variables it uses.

# Nobody else can reach it; the password is part of the URL that `env` prints.
KEYSTONE_PASSWORD=cloudkitty

# environment DIR PACKAGE...: a virtual environment that holds the packages.
# Its own pip is not needed, and takes longer to unpack than most of what we install; what is never
# imported is never compiled.
environment() {
    local dir=$1
    shift
    python3 -m venv --without-pip "$dir" \
        && "$HOME_DIR/pip/bin/pip" --disable-pip-version-check --python "$dir/bin/python" -q install --no-compile "$@"
}

# from_pypi NAME...: what these servers need from here.
from_pypi() {
    case " $* " in *" keystone "*) echo keystone clients tempest ;; esac
    case " $* " in *" gnocchi "*) echo gnocchi ;; esac
}

# The pip that installs all the others; nothing when it is there already.
make_pip() {
    [ -e "$HOME_DIR/pip/made" ] && return 0
    rm -rf "$HOME_DIR/pip"
    python3 -m venv "$HOME_DIR/pip" >"$HOME_DIR/log/make-pip.log" 2>&1 </dev/null || {
        tail -n 5 "$HOME_DIR/log/make-pip.log" >&2
        say "pip could not be installed (see $HOME_DIR/log/make-pip.log)"
        return 1
    }
    touch "$HOME_DIR/pip/made"
}

# provide NAME: have NAME installed; nothing when it is there already.
provide() {
    local name=$1
    [ -e "$HOME_DIR/$name/made" ] && return 0
    say "installing: $name (PyPI)"
    {
        rm -rf "${HOME_DIR:?}/$name" && mkdir -p "$HOME_DIR/$name" && chmod 700 "$HOME_DIR/$name" \
            && "make_$name" "$HOME_DIR/$name"
    } >"$HOME_DIR/log/make-$name.log" 2>&1 </dev/null || {
        tail -n 5 "$HOME_DIR/log/make-$name.log" >&2
        say "$name could not be installed (see $HOME_DIR/log/make-$name.log)"
        return 1
    }
    touch "$HOME_DIR/$name/made"
}

# serve NAME PORT MODULE:APPLICATION THREADS [VARIABLE=VALUE...]: with gunicorn, in one process.
serve() {
    local name=$1 port=$2 home=$HOME_DIR/$1
    # In a file: Keystone would take arguments of the command line for its own. The control socket
    # would be the same for all that run gunicorn, below the user's home directory.
    cat >"$home/gunicorn.conf.py" <<END
wsgi_app = "$3"
bind = "127.0.0.1:$port"
chdir = "$home"
preload_app = True
workers = 1
threads = $4
control_socket_disable = True
END
    shift 4
    launch "$name" "$(id -un)" "$port" env "$@" GUNICORN_CMD_ARGS="--config $home/gunicorn.conf.py" \
        "$home/venv/bin/gunicorn"
}

# The command line clients of the API.
make_clients() { environment "$1" "python-cloudkittyclient==6.2.*" "python-openstackclient>=7"; }

# The tests that OpenStack runs against a rating service.
make_tempest() { environment "$1" "tempest>=40" "cloudkitty-tempest-plugin>=3.3"; }

# ---- Keystone ---------------------------------------------------------------------------------

keystone_manage() {
    "$HOME_DIR/keystone/venv/bin/keystone-manage" --config-file "$HOME_DIR/keystone/keystone.conf" "$@"
}

configure_keystone() {
    local home=$1
    cat >"$home/keystone.conf" <<END
[DEFAULT]
use_stderr = true
[database]
connection = sqlite:///$home/keystone.sqlite
sqlite_synchronous = $([ "$DURABLE" = 1 ] && echo true || echo false)
[token]
provider = fernet
[fernet_tokens]
key_repository = $home/fernet
[fernet_receipts]
key_repository = $home/fernet
[credential]
key_repository = $home/credential
[identity]
password_hash_rounds = 4
END
}

# The installation and an empty database.
make_keystone() {
    local home=$1 me group
    me=$(id -un) group=$(id -gn)
    # gunicorn serves it: uWSGI would need a compiler.
    environment "$home/venv" "keystone>=27" "gunicorn>=22" && configure_keystone "$home" || return 1
    keystone_manage db_sync \
        && keystone_manage fernet_setup --keystone-user "$me" --keystone-group "$group" \
        && keystone_manage credential_setup --keystone-user "$me" --keystone-group "$group"
}

start_keystone() {
    local port url home=$HOME_DIR/keystone
    provide keystone && configure_keystone "$home" || return 1
    port=$(free_port) url=http://127.0.0.1:$port/v3
    # Again and again, because its catalogue has the port.
    keystone_manage bootstrap --bootstrap-password "$KEYSTONE_PASSWORD" \
        --bootstrap-region-id RegionOne --bootstrap-service-name keystone \
        --bootstrap-admin-url "$url" --bootstrap-internal-url "$url" --bootstrap-public-url "$url" \
        >"$HOME_DIR/log/bootstrap-keystone.log" 2>&1 </dev/null || {
        tail -n 5 "$HOME_DIR/log/bootstrap-keystone.log" >&2
        say "keystone could not be bootstrapped (see $HOME_DIR/log/bootstrap-keystone.log)"
        return 1
    }
    # One request at a time: two that write at once find the SQLite database locked.
    serve keystone "$port" keystone.wsgi.api:application 1 OS_KEYSTONE_CONFIG_FILES="$home/keystone.conf"
}

# ---- Gnocchi ----------------------------------------------------------------------------------

# Its extra [postgresql] names psycopg2, which has to be compiled; the rest of that extra is here.
make_gnocchi() {
    environment "$1/venv" "gnocchi==4.7.*" keystonemiddleware psycopg2-binary oslo.db sqlalchemy \
        sqlalchemy-utils alembic "gunicorn>=22"
}

# What its configuration depends on: it is started anew when one of these has moved.
gnocchi_neighbours() { echo "$(port_of postgresql) $(port_of keystone)"; }
gnocchi_current() {
    running gnocchi && running gnocchi-metricd \
        && [ "$(gnocchi_neighbours)" = "$(cat "$HOME_DIR/gnocchi/neighbours")" ]
} 2>/dev/null

# Two kinds of authentication on the same data: basic.conf and keystone.conf.
configure_gnocchi() {
    local home=$1 pg=$2 mode url
    url=http://127.0.0.1:$(port_of keystone)/v3
    # keystonemiddleware reads the default files of "gnocchi", not those of the command line.
    sed "/^use = egg:keystonemiddleware/a oslo_config_file = $home/keystone.conf" \
        "$home"/venv/lib/python3*/site-packages/gnocchi/rest/api-paste.ini >"$home/api-paste.ini"
    for mode in basic keystone; do
        # `verbose` writes the whole configuration to the log, several times.
        cat >"$home/$mode.conf" <<END
[DEFAULT]
verbose = false
parallel_operations = 1
coordination_url = file://$home/locks
[api]
auth_mode = $mode
paste_config = $home/api-paste.ini
[indexer]
url = postgresql+psycopg2://cloudkitty@127.0.0.1:$pg/gnocchi
[storage]
driver = file
file_basepath = $home/storage
[metricd]
workers = 1
metric_processing_delay = 1
metric_reporting_delay = -1
metric_cleanup_delay = 30
[keystone_authtoken]
www_authenticate_uri = $url
auth_type = password
auth_url = $url
interface = public
username = admin
password = $KEYSTONE_PASSWORD
project_name = admin
user_domain_id = default
project_domain_id = default
END
    done
    # One process serves both: / with basic authentication, /metric with that of Keystone.
    cat >"$home/gnocchi_both.py" <<END
from gnocchi import service
from gnocchi.rest import app
from paste import urlmap


def load(mode):
    arguments = ["--config-file", f"$home/{mode}.conf"]
    return app.load_app(service.prepare_service(arguments, default_config_files=[]))


application = urlmap.URLMap()
application["/metric"] = load("keystone")
application["/"] = load("basic")
END
}

# Database and files belong together: both or none.
prepare_gnocchi() {
    local home=$1 pg=$2 bin
    bin=$(pg_bin)
    if [ -d "$home/storage" ] && "$bin/psql" -qtAX -h 127.0.0.1 -p "$pg" -U cloudkitty -d gnocchi \
        -c "select 1 from metric limit 1" >/dev/null 2>&1; then
        return 0
    fi
    rm -rf "$home/storage" "$home/locks"
    "$bin/dropdb" --if-exists -h 127.0.0.1 -p "$pg" -U cloudkitty gnocchi \
        && "$bin/createdb" -h 127.0.0.1 -p "$pg" -U cloudkitty gnocchi \
        && mkdir "$home/storage" "$home/locks" \
        && "$home/venv/bin/gnocchi-upgrade" --config-file "$home/basic.conf" --sacks-number 2
}

start_gnocchi() {
    local home=$HOME_DIR/gnocchi port pg
    halt gnocchi
    provide gnocchi || return 1
    running postgresql && running keystone || {
        say "gnocchi needs postgresql and keystone"
        return 1
    }
    pg=$(port_of postgresql)
    { configure_gnocchi "$home" "$pg" && prepare_gnocchi "$home" "$pg"; } \
        >"$HOME_DIR/log/prepare-gnocchi.log" 2>&1 </dev/null || {
        tail -n 5 "$HOME_DIR/log/prepare-gnocchi.log" >&2
        say "gnocchi could not be prepared (see $HOME_DIR/log/prepare-gnocchi.log)"
        return 1
    }
    gnocchi_neighbours >"$home/neighbours"
    launch gnocchi-metricd "$(id -un)" "" "$home/venv/bin/gnocchi-metricd" --config-file "$home/basic.conf"
    port=$(free_port)
    serve gnocchi "$port" gnocchi_both:application 4
}
