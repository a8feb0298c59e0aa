# SPDX-License-Identifier: Apache-2.0
# DevStack plug-in: installs, configures and starts ck-api and ck-proc.

_XTRACE_CLOUDKITTY=$(set +o | grep xtrace)
set +o xtrace

CLOUDKITTY_BIN_DIR=$(get_python_exec_prefix)
if [[ ${USE_VENV} = True ]]; then
    PROJECT_VENV["cloudkitty"]=${CLOUDKITTY_DIR}.venv
    CLOUDKITTY_BIN_DIR=${PROJECT_VENV["cloudkitty"]}/bin
fi
if [[ "$CLOUDKITTY_USE_UWSGI" = true ]]; then
    CLOUDKITTY_ENDPOINT=$CLOUDKITTY_SERVICE_PROTOCOL://$CLOUDKITTY_SERVICE_HOST/rating
else
    CLOUDKITTY_ENDPOINT=$CLOUDKITTY_SERVICE_PROTOCOL://$CLOUDKITTY_SERVICE_HOSTPORT
fi

# User, service, endpoint, and the role of projects that are rated.
function create_cloudkitty_accounts {
    create_service_user "cloudkitty" "admin"
    get_or_create_service "cloudkitty" "rating" "OpenStack Rating Service"
    get_or_create_endpoint "rating" "$REGION_NAME" "$CLOUDKITTY_ENDPOINT"
    get_or_create_role "rating"
    get_or_add_user_project_role "rating" "cloudkitty" "demo"
}

function is_cloudkitty_enabled {
    [[ ,${ENABLED_SERVICES} =~ ,"ck-" ]] && return 0
    return 1
}

function install_cloudkitty {
    git_clone "$CLOUDKITTY_REPO" "$CLOUDKITTY_DIR" "$CLOUDKITTY_BRANCH"
    if is_service_enabled postgresql; then
        setup_develop "$CLOUDKITTY_DIR" postgresql
    else
        setup_develop "$CLOUDKITTY_DIR" mysql
    fi
}

function install_python_cloudkittyclient {
    if use_library_from_git "python-cloudkittyclient"; then
        git_clone_by_name "python-cloudkittyclient"
        setup_dev_lib "python-cloudkittyclient"
    else
        pip_install_gr python-cloudkittyclient
    fi
}

function install_cloudkitty_dashboard {
    git_clone_by_name "cloudkitty-dashboard"
    setup_develop "$CLOUDKITTY_DASHBOARD"
}

function configure_cloudkitty_dashboard {
    ln -sf "$CLOUDKITTY_ENABLED_DIR"/_[0-9]*.py "$CLOUDKITTY_HORIZON_ENABLED_DIR/"
    update_horizon_static
}

function update_horizon_static {
    python3 "$DEST/horizon/manage.py" collectstatic --noinput
    python3 "$DEST/horizon/manage.py" compress --force
}

function create_cloudkitty_data_dir {
    sudo rm -rf "${CLOUDKITTY_DATA_DIR:?}"
    sudo install -d -o "$STACK_USER" "$CLOUDKITTY_DATA_DIR" "$CLOUDKITTY_DATA_DIR/locks"
}

function configure_cloudkitty {
    sudo install -d -o "$STACK_USER" "$CLOUDKITTY_CONF_DIR" "$CLOUDKITTY_API_LOG_DIR"
    cp "$CLOUDKITTY_DIR/etc/cloudkitty/api_paste.ini" "$CLOUDKITTY_CONF_DIR/"
    cp "$CLOUDKITTY_METRICS_CONF" "$CLOUDKITTY_CONF_DIR/metrics.yml"
    rm -f "$CLOUDKITTY_CONF"

    iniset "$CLOUDKITTY_CONF" DEFAULT debug "$ENABLE_DEBUG_LOG_LEVEL"
    iniset "$CLOUDKITTY_CONF" DEFAULT auth_strategy "$CLOUDKITTY_AUTH_STRATEGY"
    iniset "$CLOUDKITTY_CONF" oslo_policy policy_file "$CLOUDKITTY_CONF_DIR/policy.yaml"
    iniset "$CLOUDKITTY_CONF" database connection "$(database_connection_url cloudkitty)"
    iniset_rpc_backend cloudkitty "$CLOUDKITTY_CONF" DEFAULT
    configure_keystone_authtoken_middleware "$CLOUDKITTY_CONF" cloudkitty
    configure_keystoneauth "$CLOUDKITTY_CONF" cloudkitty authinfos

    iniset "$CLOUDKITTY_CONF" fetcher backend "$CLOUDKITTY_FETCHER"
    case $CLOUDKITTY_FETCHER in
        keystone)
            iniset "$CLOUDKITTY_CONF" fetcher_keystone auth_section authinfos
            iniset "$CLOUDKITTY_CONF" fetcher_keystone keystone_version 3
            ;;
        gnocchi)
            iniset "$CLOUDKITTY_CONF" fetcher_gnocchi auth_section authinfos
            ;;
        prometheus)
            iniset "$CLOUDKITTY_CONF" fetcher_prometheus prometheus_url "$CLOUDKITTY_PROMETHEUS_URL"
            iniset "$CLOUDKITTY_CONF" fetcher_prometheus metric "$CLOUDKITTY_FETCHER_METRIC"
            iniset "$CLOUDKITTY_CONF" fetcher_prometheus scope_attribute \
                "$CLOUDKITTY_FETCHER_SCOPE_ATTRIBUTE"
            ;;
    esac

    iniset "$CLOUDKITTY_CONF" collect collector "$CLOUDKITTY_COLLECTOR"
    iniset "$CLOUDKITTY_CONF" collect metrics_conf "$CLOUDKITTY_CONF_DIR/metrics.yml"
    # Test suites want to see rated data soon: a period is rated when it begins.
    iniset "$CLOUDKITTY_CONF" collect wait_periods 0
    case $CLOUDKITTY_COLLECTOR in
        gnocchi)
            iniset "$CLOUDKITTY_CONF" collector_gnocchi auth_section authinfos
            ;;
        prometheus)
            iniset "$CLOUDKITTY_CONF" collector_prometheus prometheus_url \
                "$CLOUDKITTY_PROMETHEUS_URL"
            iniset "$CLOUDKITTY_CONF" collect scope_key tenant_id
            ;;
    esac

    iniset "$CLOUDKITTY_CONF" storage backend "$CLOUDKITTY_STORAGE_BACKEND"
    iniset "$CLOUDKITTY_CONF" storage version "$CLOUDKITTY_STORAGE_VERSION"

    if [[ "$CLOUDKITTY_USE_UWSGI" = true ]]; then
        write_uwsgi_config "$CLOUDKITTY_UWSGI_CONF" "$CLOUDKITTY_UWSGI" "/rating" "" cloudkitty
    fi
}

function upgrade_cloudkitty_database {
    "$CLOUDKITTY_BIN_DIR/cloudkitty-dbsync" --config-file "$CLOUDKITTY_CONF" upgrade
}

function init_cloudkitty {
    recreate_database cloudkitty
    create_cloudkitty_data_dir
    upgrade_cloudkitty_database
    "$CLOUDKITTY_BIN_DIR/cloudkitty-storage-init" --config-file "$CLOUDKITTY_CONF"
}

function start_cloudkitty {
    run_process ck-proc "$CLOUDKITTY_BIN_DIR/cloudkitty-processor --config-file=$CLOUDKITTY_CONF"
    if [[ "$CLOUDKITTY_USE_UWSGI" = true ]]; then
        run_process ck-api "$(which uwsgi) --procname-prefix cloudkitty-api --ini $CLOUDKITTY_UWSGI_CONF"
    else
        run_process ck-api "$CLOUDKITTY_BIN_DIR/cloudkitty-api --host $CLOUDKITTY_SERVICE_HOST \
--port $CLOUDKITTY_SERVICE_PORT --config-file=$CLOUDKITTY_CONF"
    fi
    echo "Waiting for ck-api to start..."
    if ! wait_for_service "$SERVICE_TIMEOUT" "$CLOUDKITTY_ENDPOINT"; then
        die $LINENO "ck-api did not start"
    fi
}

function stop_cloudkitty {
    local serv
    for serv in ck-api ck-proc; do
        stop_process $serv
    done
}

function cleanup_cloudkitty {
    remove_uwsgi_config "$CLOUDKITTY_UWSGI_CONF" "$CLOUDKITTY_UWSGI"
    sudo rm -rf "${CLOUDKITTY_CONF_DIR:?}"
    rm -f "$CLOUDKITTY_HORIZON_ENABLED_DIR"/_*cloudkitty*.py
}

if is_service_enabled ck-api; then
    if [[ "$1" == "stack" && "$2" == "install" ]]; then
        echo_summary "Installing CloudKitty"
        install_cloudkitty
        install_python_cloudkittyclient
        if is_service_enabled horizon; then
            install_cloudkitty_dashboard
        fi
    elif [[ "$1" == "stack" && "$2" == "post-config" ]]; then
        echo_summary "Configuring CloudKitty"
        configure_cloudkitty
        if is_service_enabled key; then
            create_cloudkitty_accounts
        fi
        if is_service_enabled horizon; then
            configure_cloudkitty_dashboard
        fi
    elif [[ "$1" == "stack" && "$2" == "extra" ]]; then
        echo_summary "Initializing CloudKitty"
        init_cloudkitty
        start_cloudkitty
    fi
    if [[ "$1" == "unstack" ]]; then
        stop_cloudkitty
    fi
    if [[ "$1" == "clean" ]]; then
        cleanup_cloudkitty
    fi
fi

$_XTRACE_CLOUDKITTY
