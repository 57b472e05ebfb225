"""The table of everything that Alipay answers here, and of the control API that moves it."""

from sandbox import (
    alipay_bills,
    alipay_certificates,
    alipay_control,
    alipay_control_bills,
    alipay_fields,
    alipay_forge,
    alipay_pages,
    alipay_refunds,
    alipay_trades,
)
from sandbox.alipay_gateway import Methods, PageMethod, ServerMethod, gateway
from sandbox.control_edge import control_route
from sandbox.pay_edge import Handler

METHODS: Methods = {
    "alipay.trade.precreate": ServerMethod(alipay_fields.PRECREATE, alipay_trades.precreate, "precreate"),
    "alipay.trade.wap.pay": PageMethod(alipay_fields.WAP, alipay_pages.wap_pay),
    "alipay.trade.page.pay": PageMethod(alipay_fields.PAGE, alipay_pages.page_pay),
    "alipay.trade.query": ServerMethod(alipay_fields.QUERY, alipay_trades.query, "query"),
    "alipay.trade.close": ServerMethod(alipay_fields.CLOSE, alipay_trades.close, "close"),
    "alipay.trade.cancel": ServerMethod(alipay_fields.EITHER_NUMBER, alipay_trades.cancel, "cancel"),
    "alipay.trade.refund": ServerMethod(alipay_fields.REFUND, alipay_refunds.refund, "refund"),
    "alipay.trade.fastpay.refund.query": ServerMethod(alipay_fields.REFUND_QUERY, alipay_refunds.query, "refund_query"),
    "alipay.data.dataservice.bill.downloadurl.query": ServerMethod(
        alipay_fields.BILL, alipay_bills.download_url, "bill"
    ),
    "alipay.open.app.alipaycert.download": ServerMethod(alipay_fields.CERTIFICATE, alipay_certificates.download),
}
GATEWAY = gateway(METHODS)
ORDER = "/control/alipay/orders/{app_id}/{out_trade_no}"

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/gateway.do", GATEWAY),
    ("POST", "/gateway.do", GATEWAY),
    ("GET", "/downloadBillFile.resource", alipay_bills.download),
    ("GET", "/cashier/alipay/{token}", alipay_pages.show),
    ("POST", "/cashier/alipay/{token}/pay", alipay_pages.pay),
    ("POST", "/cashier/alipay/{token}/cancel", alipay_pages.cancel),
    ("PUT", "/control/alipay/merchants/{app_id}", control_route(alipay_control.put_merchant)),
    ("POST", "/control/alipay/demo-merchants", control_route(alipay_control.demo_merchants)),
    ("POST", "/control/alipay/certificate/reissue", control_route(alipay_control.reissue)),
    ("GET", "/control/alipay/orders", control_route(alipay_control.list_orders)),
    ("GET", ORDER, control_route(alipay_control.show_order)),
    ("POST", ORDER + "/scan", control_route(alipay_control.scan)),
    ("POST", ORDER + "/pay", control_route(alipay_control.pay)),
    ("POST", ORDER + "/refuse", control_route(alipay_control.refuse)),
    ("POST", ORDER + "/finish", control_route(alipay_control.finish)),
    ("GET", "/control/alipay/notifications", control_route(alipay_control.list_notices)),
    ("POST", "/control/alipay/notifications/flush", control_route(alipay_control.flush)),
    ("POST", "/control/alipay/notifications/{id}/repeat", control_route(alipay_control.repeat)),
    ("GET", "/control/alipay/books", control_route(alipay_control_bills.books)),
    ("GET", "/control/alipay/plants", control_route(alipay_control_bills.list_plants)),
    ("POST", "/control/alipay/plants", control_route(alipay_control_bills.plant)),
    ("DELETE", "/control/alipay/plants", control_route(alipay_control_bills.forget_plants)),
    ("GET", "/control/alipay/bank", control_route(alipay_control_bills.bank)),
    ("POST", "/control/alipay/forge", control_route(alipay_forge.forge)),
    ("GET", "/control/alipay/hostile", control_route(alipay_control.show_hostile)),
    ("PUT", "/control/alipay/hostile", control_route(alipay_control.put_hostile)),
    ("DELETE", "/control/alipay/hostile", control_route(alipay_control.reset_hostile)),
)
