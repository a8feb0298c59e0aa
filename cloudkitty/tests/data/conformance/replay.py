# SPDX-License-Identifier: Apache-2.0
"""Play recorded HTTP exchanges against a CloudKitty API and compare the answers.

    replay.py --base-url http://127.0.0.1:8889 --storage v2 [TRANSCRIPT.json | DIRECTORY ...]

Needs Python 3.11 and `requests`.  Exit code 0 if every step passed, 1 otherwise.  The last line printed is
"N passed, N failed".  README.md (beside this file) has the formats and how to start a server to test.
"""
import argparse
import datetime as dt
import decimal
import json
import pathlib
import re
import sys
import time

import requests

HERE = pathlib.Path(__file__).resolve().parent
UTC = dt.timezone.utc
UUID = re.compile(r'[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}')
VAR = re.compile(r'\$\{([^}]+)\}')
TIME = re.compile(r't:(now|hour|day|month|nextmonth|prevmonth)((?:[+-]\d+[smhd])*)(?::(\w+))?')
UNITS = {'s': 1, 'm': 60, 'h': 3600, 'd': 86400}
FORMATS = {None: '%Y-%m-%dT%H:%M:%S+00:00', 'naive': '%Y-%m-%dT%H:%M:%S', 'z': '%Y-%m-%dT%H:%M:%SZ',
           'date': '%Y-%m-%d', 'basic': '%Y%m%dT%H%M%SZ', 'sql': '%Y-%m-%d %H:%M:%S'}
TYPES = {'string': str, 'boolean': bool, 'object': dict, 'array': list, 'null': type(None)}


class Mismatch(Exception):
    pass


# ---------------------------------------------------------------- variables

class Scope(dict):
    """Variables of one transcript: captured values, built-in times and `base`."""

    def __init__(self, base, started):
        super().__init__(base=base)
        self.started = started

    def moment(self, name):
        m = TIME.fullmatch(name)
        if not m:
            return None
        base, offsets, fmt = m.groups()
        t = self.started
        if base == 'hour':
            t = t.replace(minute=0, second=0)
        elif base != 'now':
            t = t.replace(hour=0, minute=0, second=0)
        if base in ('month', 'nextmonth', 'prevmonth'):
            t = t.replace(day=1)
        if base == 'nextmonth':
            t = (t + dt.timedelta(days=32)).replace(day=1)
        if base == 'prevmonth':
            t = (t - dt.timedelta(days=1)).replace(day=1)
        for sign, n, u in re.findall(r'([+-])(\d+)([smhd])', offsets):
            t += dt.timedelta(seconds=int(sign + n) * UNITS[u])
        return t.strftime(FORMATS[fmt])

    def value(self, name):
        if name in self:
            return self[name]
        t = self.moment(name)
        if t is None:
            raise Mismatch('variable ${%s} was never captured (an earlier step failed)' % name)
        return t

    def fill(self, x):
        """Replace ${name} everywhere in a JSON value."""
        if isinstance(x, str):
            whole = VAR.fullmatch(x)
            if whole:
                return self.value(whole.group(1))
            return VAR.sub(lambda m: str(self.value(m.group(1))), x)
        if isinstance(x, list):
            return [self.fill(i) for i in x]
        if isinstance(x, dict):
            return {self.fill(k): self.fill(v) for k, v in x.items()}
        return x


# ---------------------------------------------------------------- matching

def short(x, n=300):
    s = json.dumps(x, ensure_ascii=False, sort_keys=True, default=str)
    return s if len(s) <= n else s[:n] + '...'


def is_number(x):
    return isinstance(x, (int, float)) and not isinstance(x, bool)


def close(want, got, tolerance):
    w, g = decimal.Decimal(str(want)), decimal.Decimal(str(got))
    return abs(w - g) <= max(decimal.Decimal(str(tolerance)), abs(w) * decimal.Decimal('1e-9'))


def check_datetime(kind, x):
    if not isinstance(x, str):
        raise Mismatch('expected a date-time string, got %s' % short(x))
    try:
        t = dt.datetime.fromisoformat(x)
    except ValueError:
        raise Mismatch('expected an ISO 8601 date-time, got %s' % short(x))
    if kind == 'naive' and t.tzinfo or kind == 'aware' and not t.tzinfo:
        raise Mismatch('expected a date-time %s offset, got %s' % ('without' if kind == 'naive' else 'with', x))
    if kind == 'now':
        age = dt.datetime.now(UTC) - (t if t.tzinfo else t.replace(tzinfo=UTC))
        if abs(age.total_seconds()) > 900:
            raise Mismatch('expected a time close to now (UTC), got %s' % x)


def fits(pattern, x):
    try:
        match(pattern, x)
    except Mismatch:
        return False
    return True


def assign(patterns, items):
    """A one-to-one assignment of patterns to items (augmenting paths), or the first pattern left over."""
    owner = {}
    table = [[i for i, x in enumerate(items) if fits(p, x)] for p in patterns]

    def place(p, seen):
        for i in table[p]:
            if i not in seen:
                seen.add(i)
                if i not in owner or place(owner[i], seen):
                    owner[i] = p
                    return True
        return False
    for p in range(len(patterns)):
        if not place(p, set()):
            return p
    return None


def op_table(arg, x):
    """A v2 summary in "table" form; the order of the columns is free, that of the rows only if asked for."""
    if not isinstance(x, dict) or not isinstance(x.get('columns'), list) or not isinstance(x.get('results'), list):
        raise Mismatch('expected an object with "columns" and "results", got %s' % short(x))
    if sorted(x['columns']) != sorted(arg['columns']):
        raise Mismatch('columns: expected %s, got %s' % (arg['columns'], x['columns']))
    rows = [dict(zip(x['columns'], r)) for r in x['results'] if len(r) == len(x['columns'])]
    if len(rows) != len(x['results']):
        raise Mismatch('a row does not have as many cells as there are columns')
    want = [dict(zip(arg['columns'], r)) for r in arg['rows']]
    match(want if arg.get('ordered') else {'$unordered': want}, rows, 'rows')


def operator(name, arg, x, where):
    if name == '$any':
        return
    if name == '$uuid':
        ok = isinstance(x, str) and UUID.fullmatch(x)
    elif name == '$datetime':
        return check_datetime(arg, x)
    elif name == '$close':
        value, tolerance = (arg, 1e-6) if is_number(arg) else arg
        ok = is_number(x) and close(value, x, tolerance)
    elif name == '$numstr':
        try:
            ok = isinstance(x, str) and close(arg, x, '1e-6')
        except decimal.InvalidOperation:
            ok = False
    elif name == '$num':
        try:
            ok = (isinstance(x, str) or is_number(x)) and close(arg, x, '1e-6')
        except decimal.InvalidOperation:
            ok = False
    elif name == '$regex':
        ok = isinstance(x, str) and re.fullmatch(arg, x, re.S)
    elif name == '$contains':
        ok = isinstance(x, str) and all(s in x for s in ([arg] if isinstance(arg, str) else arg))
    elif name == '$type':
        kinds = [arg] if isinstance(arg, str) else arg
        ok = any(is_number(x) if k == 'number' else isinstance(x, int) and not isinstance(x, bool) if k == 'integer'
                 else isinstance(x, TYPES[k]) for k in kinds)
    elif name == '$in':
        ok = any(fits(p, x) for p in arg)
    elif name == '$not':
        ok = not fits(arg, x)
    elif name == '$len':
        ok = isinstance(x, (list, str, dict)) and len(x) == arg
    elif name == '$minlen':
        ok = isinstance(x, (list, str, dict)) and len(x) >= arg
    elif name in ('$unordered', '$includes'):
        if not isinstance(x, list):
            raise Mismatch('%sexpected an array, got %s' % (where, short(x)))
        left = assign(arg, x)
        if left is not None:
            raise Mismatch('%sno element matches %s; got %s' % (where, short(arg[left]), short(x, 900)))
        ok = name == '$includes' or len(x) == len(arg)
        if not ok:
            raise Mismatch('%sexpected %d elements, got %d: %s' % (where, len(arg), len(x), short(x, 900)))
    elif name == '$excludes':
        ok = isinstance(x, list) and not any(fits(p, i) for p in arg for i in x)
    elif name == '$each':
        if not isinstance(x, list):
            raise Mismatch('%sexpected an array, got %s' % (where, short(x)))
        for i, e in enumerate(x):
            match(arg, e, '%s[%d]' % (where.rstrip(': '), i))
        return
    elif name == '$partial':
        if not isinstance(x, dict):
            raise Mismatch('%sexpected an object, got %s' % (where, short(x)))
        return match_object(arg, {k: v for k, v in x.items() if k in arg}, where)
    elif name == '$optional':
        return match(arg, x, where)
    elif name == '$table':
        return op_table(arg, x)
    else:
        raise SystemExit('unknown matcher %s' % name)
    if not ok:
        raise Mismatch('%sexpected %s, got %s' % (where, short({name: arg}), short(x)))


def match_object(want, got, where):
    for k, v in want.items():
        optional = isinstance(v, dict) and '$optional' in v
        if k not in got:
            if not optional:
                raise Mismatch('%skey "%s" is missing from %s' % (where, k, short(got)))
            continue
        match(v, got[k], (where.rstrip(': ') + '.' if where else '') + k)
    extra = sorted(set(got) - set(want))
    if extra:
        raise Mismatch('%sunexpected key(s) %s in %s' % (where, ', '.join(extra), short(got)))


def match(want, got, where=''):
    """Raise Mismatch unless the JSON value `got` satisfies the pattern `want`."""
    where = where + ': ' if where and not where.endswith(': ') else where
    if isinstance(want, dict) and any(k.startswith('$') for k in want):
        for name, arg in want.items():
            operator(name, arg, got, where)
    elif isinstance(want, dict):
        if not isinstance(got, dict):
            raise Mismatch('%sexpected an object, got %s' % (where, short(got)))
        match_object(want, got, where)
    elif isinstance(want, list):
        if not isinstance(got, list) or len(want) != len(got):
            raise Mismatch('%sexpected %s, got %s' % (where, short(want), short(got)))
        for i, (w, g) in enumerate(zip(want, got)):
            match(w, g, '%s[%d]' % (where.rstrip(': '), i))
    elif is_number(want) and is_number(got):
        if want != got:
            raise Mismatch('%sexpected %s, got %s' % (where, want, got))
    elif type(want) is not type(got) or want != got:
        raise Mismatch('%sexpected %s, got %s' % (where, short(want), short(got)))


# ---------------------------------------------------------------- exchanges

def dig(body, path):
    for part in filter(None, re.split(r'[.\[\]]+', path)):
        body = body[int(part)] if isinstance(body, list) else body[part]
    return body


def check(expect, resp):
    """Compare a response with one expectation."""
    status = expect['status']
    if resp.status_code not in (status if isinstance(status, list) else [status]):
        raise Mismatch('status: expected %s, got %s; body %s' % (status, resp.status_code, short(resp.text, 400)))
    for name, want in expect.get('headers', {}).items():
        match(want, resp.headers.get(name), 'header %s' % name)
    if 'json' in expect:
        ctype = resp.headers.get('Content-Type', '')
        if not ctype.startswith('application/json'):
            raise Mismatch('Content-Type: expected application/json, got "%s"; body %s' % (ctype, short(resp.text)))
        try:
            body = resp.json()
        except ValueError:
            raise Mismatch('the body is not JSON: %s' % short(resp.text))
        match(expect['json'], body)
    if 'text' in expect:
        match(expect['text'], resp.text, 'body')
    if expect.get('empty') and resp.content:
        raise Mismatch('expected no body, got %s' % short(resp.text))


class Player:
    def __init__(self, base, identities, classic=False, timeout=60):
        self.base = base.rstrip('/')
        self.identities = identities
        self.classic = classic
        self.timeout = timeout
        self.http = requests.Session()
        self.http.trust_env = False
        self.started = dt.datetime.now(UTC).replace(microsecond=0)

    def scope(self):
        return Scope(self.base, self.started)

    def send(self, step, scope):
        headers = {'Accept': 'application/json'}
        headers.update(self.identities[step.get('as', 'admin')])
        data = None
        if 'json' in step:
            data = json.dumps(scope.fill(step['json'])).encode()
            headers['Content-Type'] = 'application/json'
        elif 'body' in step:
            data = scope.fill(step['body']).encode()
        headers.update(scope.fill(step.get('headers', {})))
        query = step.get('query')
        if isinstance(query, dict):
            query = [[k, v] for k, vs in query.items() for v in (vs if isinstance(vs, list) else [vs])]
        return self.http.request(step['method'], self.base + scope.fill(step['path']), params=scope.fill(query or []),
                                 data=data, headers=headers, allow_redirects=False, timeout=self.timeout)

    def expectations(self, step):
        e = step.get('classic') if self.classic and 'classic' in step else step['expect']
        return e if isinstance(e, list) else [e]

    def play_step(self, step, scope):
        wanted = [scope.fill(e) for e in self.expectations(step)]
        time.sleep(step.get('wait', 0))
        deadline = time.monotonic() + step.get('retry', 0)
        while True:
            resp = self.send(step, scope)
            problems = []
            for e in wanted:
                try:
                    check(e, resp)
                except Mismatch as m:
                    problems.append(str(m))
                else:
                    break
            else:
                if time.monotonic() < deadline:
                    time.sleep(0.25)
                    continue
                raise Mismatch(' / or: '.join(problems))
            break
        for name, source in step.get('capture', {}).items():
            try:
                scope[name] = resp.headers[source[7:]] if source.startswith('header:') else dig(resp.json(), source)
            except (KeyError, IndexError, TypeError, ValueError):
                raise Mismatch('cannot capture %s from %s' % (name, source))
        return resp


def load(paths):
    files = []
    for p in paths:
        p = pathlib.Path(p)
        files += sorted(p.glob('*.json')) if p.is_dir() else [p]
    out = []
    for f in files:
        t = json.loads(f.read_text())
        t['file'] = f
        out.append(t)
    return out


# ---------------------------------------------------------------- rows for the v1 storage

def v1_seed(dialect):
    """SQL that fills the v1 storage's table; every value is written out."""
    scope = Scope('', dt.datetime.now(UTC).replace(microsecond=0))
    quote = '`' if dialect == 'mysql' else '"'
    fraction = '.000000' if dialect == 'sqlite' else ''  # dates are texts there
    columns = 'tenant_id, begin, {0}end{0}, unit, qty, res_type, rate, {0}desc{0}'.format(quote)
    lines = []
    for row in json.loads((HERE / 'server' / 'v1_rows.json').read_text()):
        r = scope.fill(row)
        text = [r['tenant_id'], r['begin'] + fraction, r['end'] + fraction, r['unit'], r['qty'], r['res_type'], r['rate'],
                json.dumps(r['desc'], sort_keys=True)]
        cells = [c if i in (4, 6) else "'%s'" % c.replace("'", "''") for i, c in enumerate(text)]
        lines.append('INSERT INTO rated_data_frames (%s) VALUES (%s);' % (columns, ', '.join(cells)))
    return '\n'.join(lines) + '\n'


# ---------------------------------------------------------------- command line

def options(argv):
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--base-url', help='where the API listens, e.g. http://127.0.0.1:8889')
    p.add_argument('--storage', choices=['v1', 'v2'], default='v2', help='storage generation of the server')
    p.add_argument('--auth', choices=['headers', 'noauth'], default='headers', help='how the server knows who asks')
    p.add_argument('--skip', action='append', default=[], metavar='FACILITY',
                   help='leave out what needs this (processor, v1-rows); repeatable')
    p.add_argument('--only', metavar='TEXT', help='only transcripts whose name contains TEXT')
    p.add_argument('--classic', action='store_true', help='judge deviations by what CloudKitty 25.0.0 answers')
    p.add_argument('--timeout', type=float, default=60)
    p.add_argument('--v1-rows', choices=['sqlite', 'postgresql', 'mysql'], help='print the SQL seed and exit')
    p.add_argument('-v', '--verbose', action='store_true', help='one line per step')
    p.add_argument('paths', nargs='*', default=[str(HERE / 'transcripts')])
    return p.parse_args(argv)


def main(argv=None):
    a = options(argv)
    if a.v1_rows:
        sys.stdout.write(v1_seed(a.v1_rows))
        return 0
    if not a.base_url:
        raise SystemExit('--base-url is required')
    identities = json.loads((HERE / 'identities.json').read_text())
    player = Player(a.base_url, identities, a.classic, a.timeout)
    try:
        player.http.get(player.base + '/', timeout=a.timeout)
    except requests.RequestException as e:
        print('no answer from %s: %s\n0 passed, 1 failed' % (a.base_url, e))
        return 1
    passed, failures, skipped, deviations = 0, [], [], 0
    for t in load(a.paths):
        name = t['name']
        reason = None
        if a.only and a.only not in name:
            continue
        if a.storage not in t['storage']:
            reason = 'storage'
        elif a.auth not in t.get('auth', ['headers']):
            reason = 'auth'
        elif a.classic and t.get('classic') == 'skip':
            reason = 'harms a classic server'
        else:
            reason = next((n for n in t.get('needs', []) if n in a.skip), None)
        if reason:
            skipped.append((name, reason))
            continue
        scope = player.scope()
        ok = 0
        for i, step in enumerate(t['steps'], 1):
            deviations += 'deviation' in step
            try:
                player.play_step(step, scope)
            except Mismatch as m:
                failures.append((name, i, step, str(m)))
                word = 'FAIL'
            except requests.RequestException as e:
                failures.append((name, i, step, 'no answer: %s' % e))
                word = 'FAIL'
            else:
                ok += 1
                word = 'ok'
            if a.verbose:
                print('%-4s %s #%d %s' % (word, name, i, step.get('id', '')))
        passed += ok
        print('%-42s %4d/%d' % (name, ok, len(t['steps'])))
    if failures:
        print('\n%-34s %4s  %-9s %s' % ('transcript', 'step', 'as', 'request'))
        for name, i, step, text in failures:
            print('%-34s %4d  %-9s %s %s  [%s]%s' % (name, i, step.get('as', 'admin'), step['method'], step['path'],
                                                   step.get('id', ''), '  (deviation)' if 'deviation' in step else ''))
            print('      ' + text)
    if skipped:
        print('\nnot run (%d): %s' % (len(skipped), ', '.join('%s (%s)' % s for s in skipped)))
    print('\n%d of the steps are marked as deviations from CloudKitty 25.0.0%s'
          % (deviations, ', judged by its answers' if a.classic else ''))
    print('%d passed, %d failed' % (passed, len(failures)))
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
