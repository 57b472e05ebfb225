"""The tables of the sandbox's Alipay, beside those of WeChat in the same file (see sandbox/store.py).

A row of `alipay_orders` is what a merchant asked for; the trade begins with `trade_no`, when a payer scans the code or
reaches the cashier (protocols/alipay.md sections 6.1 and 6.3).
"""

SCHEMA = """
CREATE TABLE IF NOT EXISTS alipay_merchants (
    app_id TEXT PRIMARY KEY, seller_id TEXT NOT NULL, seller_email TEXT NOT NULL, mode TEXT NOT NULL,
    public_key_pem TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS alipay_app_certificates (
    app_id TEXT NOT NULL, sn TEXT NOT NULL, pem TEXT NOT NULL, valid_until_s REAL, PRIMARY KEY (app_id, sn));
CREATE TABLE IF NOT EXISTS alipay_orders (
    app_id TEXT NOT NULL, out_trade_no TEXT NOT NULL, product TEXT NOT NULL, request TEXT NOT NULL,
    total_fen INTEGER NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL, passback_params TEXT NOT NULL,
    charset TEXT NOT NULL, notify_url TEXT NOT NULL, return_url TEXT NOT NULL, token TEXT NOT NULL UNIQUE,
    token_expires_s REAL NOT NULL, timeout TEXT NOT NULL, pay_before_s REAL, asked_s REAL NOT NULL,
    trade_no TEXT UNIQUE, created_s REAL, expires_s REAL, status TEXT NOT NULL, buyer_id TEXT,
    paid_s REAL, closed_s REAL, refused INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (app_id, out_trade_no));
CREATE INDEX IF NOT EXISTS alipay_orders_open ON alipay_orders (expires_s) WHERE status = 'WAIT_BUYER_PAY';
CREATE INDEX IF NOT EXISTS alipay_orders_by_payment ON alipay_orders (app_id, paid_s);
CREATE TABLE IF NOT EXISTS alipay_refunds (
    app_id TEXT NOT NULL, out_trade_no TEXT NOT NULL, out_request_no TEXT NOT NULL, amount_fen INTEGER NOT NULL,
    fee_fen INTEGER NOT NULL, reason TEXT NOT NULL, asked_s REAL NOT NULL, done_s REAL NOT NULL,
    PRIMARY KEY (app_id, out_trade_no, out_request_no));
CREATE INDEX IF NOT EXISTS alipay_refunds_by_day ON alipay_refunds (app_id, done_s);
CREATE INDEX IF NOT EXISTS alipay_refunds_later ON alipay_refunds (done_s) WHERE asked_s < done_s;
CREATE TABLE IF NOT EXISTS alipay_notices (
    id TEXT PRIMARY KEY, app_id TEXT NOT NULL, out_trade_no TEXT NOT NULL, product TEXT NOT NULL, url TEXT NOT NULL,
    fields TEXT NOT NULL, created_s REAL NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    next_s REAL, copies INTEGER NOT NULL, lost INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS alipay_notices_due ON alipay_notices (next_s) WHERE next_s IS NOT NULL;
CREATE INDEX IF NOT EXISTS alipay_notices_by_order ON alipay_notices (out_trade_no);
CREATE TABLE IF NOT EXISTS alipay_attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, notice_id TEXT NOT NULL, started_s REAL NOT NULL, outcome TEXT NOT NULL,
    status INTEGER, answer TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS alipay_attempts_by_notice ON alipay_attempts (notice_id);
CREATE TABLE IF NOT EXISTS alipay_plants (
    id INTEGER PRIMARY KEY AUTOINCREMENT, app_id TEXT NOT NULL, bill_date TEXT NOT NULL, statement TEXT NOT NULL,
    kind TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS alipay_plants_by_day ON alipay_plants (app_id, bill_date, statement);
CREATE TABLE IF NOT EXISTS alipay_bill_links (
    token TEXT PRIMARY KEY, app_id TEXT NOT NULL, bill_type TEXT NOT NULL, bill_date TEXT NOT NULL,
    expires_s REAL NOT NULL);
"""
