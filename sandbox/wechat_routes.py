"""The table of everything that WeChat and WeChat Pay answer here, and of the control API that moves them."""

from sandbox import (
    cashier,
    certificates,
    control_merchants,
    control_money,
    control_people,
    control_refunds,
    control_statements,
    control_world,
    forge,
    h5,
    messages,
    pay_orders,
    refunds,
    shipping,
    statements,
    tokens,
    users,
    web_login,
)
from sandbox.api_edge import api_route
from sandbox.control_edge import control_route
from sandbox.pay_edge import Handler, pay_route


def _order_routes(path: str, *, partner: bool) -> tuple[tuple[str, str, Handler], ...]:
    creates = {"jsapi": "JSAPI", "native": "NATIVE", "h5": "MWEB"}
    by_number = pay_route(pay_orders.query_by_out_trade_no(partner=partner), script="query")
    by_transaction = pay_route(pay_orders.query_by_transaction(partner=partner), script="query")
    return (
        *(
            ("POST", f"{path}/{name}", pay_route(pay_orders.create(trade_type, partner=partner), script="prepay"))
            for name, trade_type in creates.items()
        ),
        ("GET", f"{path}/out-trade-no/{{out_trade_no}}", by_number),
        ("GET", f"{path}/id/{{transaction_id}}", by_transaction),
        (
            "POST",
            f"{path}/out-trade-no/{{out_trade_no}}/close",
            pay_route(pay_orders.close(partner=partner), script="close"),
        ),
    )


PAY_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    *_order_routes("/v3/pay/transactions", partner=False),
    *_order_routes("/v3/pay/partner/transactions", partner=True),
    ("POST", "/v3/refund/domestic/refunds", pay_route(refunds.create, script="refund")),
    ("GET", "/v3/refund/domestic/refunds/{out_refund_no}", pay_route(refunds.query, script="refund_query")),
    (
        "POST",
        "/v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund",
        pay_route(refunds.apply_abnormal, script="refund"),
    ),
    ("GET", "/v3/certificates", pay_route(certificates.certificates)),
    ("GET", "/v3/bill/tradebill", pay_route(statements.apply_for_trade_bill, script="statement")),
    ("GET", "/v3/bill/fundflowbill", pay_route(statements.apply_for_fund_flow, script="statement")),
    ("GET", "/v3/billdownload/file", pay_route(statements.download)),
)
API_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/sns/jscode2session", api_route(users.code_to_session)),
    ("GET", "/sns/oauth2/access_token", api_route(web_login.access_token)),
    ("GET", "/wxa/checksession", api_route(users.check_session)),
    ("POST", "/wxa/business/getuserphonenumber", api_route(users.phone_number)),
    ("GET", "/cgi-bin/token", api_route(tokens.classic, script="token")),
    ("POST", "/cgi-bin/stable_token", api_route(tokens.stable, script="token")),
    ("GET", "/cgi-bin/stable_token", api_route(tokens.stable_by_get)),
    ("POST", "/cgi-bin/message/subscribe/send", api_route(messages.send_subscribe, script="messages")),
    ("POST", "/cgi-bin/message/template/send", api_route(messages.send_template, script="messages")),
    ("GET", "/wxaapi/newtmpl/gettemplate", api_route(messages.list_templates)),
    ("POST", "/wxa/sec/order/upload_shipping_info", api_route(shipping.upload)),
)
PAGE_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/connect/oauth2/authorize", web_login.authorize),
    ("GET", "/connect/oauth2/user", web_login.choose),
    ("GET", "/cgi-bin/mmpayweb-bin/checkmweb", h5.show),
    ("GET", "/cashier/{prepay_id}", cashier.show),
    ("POST", "/cashier/{prepay_id}/pay", cashier.pay),
    ("POST", "/cashier/{prepay_id}/cancel", cashier.cancel),
)
CONTROL_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/control/health", control_route(control_world.health)),
    ("PUT", "/control/apps/{appid}", control_route(control_people.put_app)),
    ("PUT", "/control/merchants/{mchid}", control_route(control_merchants.put_merchant)),
    ("GET", "/control/merchants/{mchid}", control_route(control_merchants.show_merchant)),
    ("PUT", "/control/merchants/{mchid}/apiv3-key", control_route(control_merchants.set_apiv3_key)),
    ("POST", "/control/merchants/{mchid}/keys", control_route(control_merchants.add_key)),
    ("DELETE", "/control/merchants/{mchid}/keys/{serial_no}", control_route(control_merchants.revoke_key)),
    ("GET", "/control/keys", control_route(control_merchants.show_keys)),
    ("POST", "/control/keys/{kind}/renew", control_route(control_merchants.renew_key)),
    ("POST", "/control/keys/{kind}/retire", control_route(control_merchants.retire_key)),
    ("POST", "/control/users", control_route(control_people.create_user)),
    ("POST", "/control/users/{user_id}/login-code", control_route(control_people.login_code)),
    ("POST", "/control/users/{user_id}/phone-code", control_route(control_people.phone_code)),
    ("POST", "/control/users/{user_id}/oauth-code", control_route(control_people.oauth_code)),
    ("POST", "/control/users/{user_id}/follow", control_route(control_people.follow)),
    ("POST", "/control/users/{user_id}/unfollow", control_route(control_people.unfollow)),
    ("POST", "/control/users/{user_id}/consent", control_route(control_people.consent)),
    ("GET", "/control/users/{user_id}/openid", control_route(control_people.openid)),
    ("POST", "/control/tokens/invalidate", control_route(control_people.invalidate_tokens)),
    ("GET", "/control/orders", control_route(control_money.list_orders)),
    ("GET", "/control/orders/{mchid}/{out_trade_no}", control_route(control_money.show_order)),
    ("POST", "/control/orders/{mchid}/{out_trade_no}/pay", control_route(control_money.pay)),
    ("POST", "/control/orders/{mchid}/{out_trade_no}/cancel", control_route(control_money.cancel)),
    ("POST", "/control/scan", control_route(control_money.scan)),
    ("GET", "/control/refunds", control_route(control_refunds.list_refunds)),
    ("GET", "/control/refunds/{mchid}/{out_refund_no}", control_route(control_refunds.show_refund)),
    ("POST", "/control/refunds/{mchid}/{out_refund_no}/finish", control_route(control_refunds.finish)),
    ("POST", "/control/statements/plants", control_route(control_statements.plant)),
    ("GET", "/control/statements/plants", control_route(control_statements.list_plants)),
    ("DELETE", "/control/statements/plants", control_route(control_statements.forget_plants)),
    ("GET", "/control/bank", control_route(control_statements.bank)),
    ("GET", "/control/books", control_route(control_money.books)),
    ("GET", "/control/notifications", control_route(control_money.list_notifications)),
    ("POST", "/control/notifications/flush", control_route(control_money.flush)),
    ("POST", "/control/notifications/{id}/repeat", control_route(control_money.repeat)),
    ("POST", "/control/forge", control_route(forge.forge)),
    ("GET", "/control/hostile", control_route(control_world.show_hostile)),
    ("PUT", "/control/hostile", control_route(control_world.put_hostile)),
    ("DELETE", "/control/hostile", control_route(control_world.reset_hostile)),
    ("PUT", "/control/scenario", control_route(control_world.put_scenario)),
    ("GET", "/control/scenario", control_route(control_world.show_scenario)),
    ("DELETE", "/control/scenario", control_route(control_world.reset_scenario)),
    ("GET", "/control/scenario/decisions", control_route(control_world.decisions)),
    ("GET", "/control/truth", control_route(control_world.truth)),
    ("GET", "/control/stats", control_route(control_world.stats)),
    ("GET", "/control/messages", control_route(control_world.messages)),
    ("GET", "/control/shipping", control_route(control_world.shipping)),
    ("POST", "/control/reset", control_route(control_world.reset)),
)
ROUTES = (*PAY_ROUTES, *API_ROUTES, *PAGE_ROUTES, *CONTROL_ROUTES)
