"""Test vectors of protocols/alipay.md section 15, shared by the tests of the sandbox and of the product.

Texts are str; the bytes on the wire are their UTF-8. Keys M and P are those of tests/vectors.py.
"""

# 15.1 request (key M)
REQUEST_TEXT = (
    'app_id=2021000000000001&biz_content={"out_trade_no":"WY202609010002","product_code":"QR_CODE_OFFLINE","s'
    'ubject":"物业费2026年09月","timeout_express":"90m","total_amount":"123.45"}&charset=utf-8&format=json&method='
    "alipay.trade.precreate&notify_url=https://pay.example.com/notify/ali&sign_type=RSA2&timestamp=2026-09-01"
    " 00:00:00&version=1.0"
)
REQUEST_TEXT_SHA256 = "ac510cc55fa15ed82a064381ea837e553e68ef06290803bc69a760b5381abe89"
REQUEST_SIGNATURE = (
    "C0Wsmwf5alRW6fgo59X6yddvRxb25LlXMrXIT6hC0B6gKLMK7Kgz/Ry5yARp2bWJ0KaqeWw9cGmbzEGJT4qPuRned/jdCZPGHgYAE4iX"
    "ISjTGeg/IKjfHl3ZjwRPdOCYmeaett5b1mjIEqBzsDsuSsnLV+90kYOnLw/uhGRoXgLl4/gubBuqL/A0Xy20r8yM/Z3E8P1DVxf6qvsY"
    "Uf47fzkgOE3G6kvJVv533I7nY5GoZyIAsELHEiKpxOlS+pHTcsOzsTJ4aWvuOohzvIZDAvPZgZ6ZD7tudgiKbpNY1Z8neM8f7xsxmbyB"
    "Ukc7W39F6uE0tyiVjQGo8SqL/kiBUA=="
)

# 15.2 synchronous response (key P)
RESPONSE_BODY = (
    '{"alipay_trade_precreate_response":{"code":"10000","msg":"Success","out_trade_no":"WY202609010002","qr_c'
    'ode":"https:\\/\\/qr.alipay.com\\/bax00022tldi82dwzbvp6013"},"sign":"DH5ipSFMfFEQbEx4B+cC/ZlY9OhJy59yLjhExf'
    "YiEzWpfs0XWOS0z0OtgAROadPnHT/bMVzEonCGsbu22BPExxassaDmJS4olmfPf1AUZQucYPs2xDumqil40+lu/mqxi6NWkeuZnaWGTY"
    "4TQeyHJ6NP5bR/BJavUzTEl86F+tVHP3WdZeB5IanGymGOW9euzGJAknEwSOAcL+WVCeRR4EJVT1o6VIeWVROIKtvoWjH/SIP9zJnkby"
    '1vLu0WAwMPK9Xtd5oZQmk725xkY7fi/FZdmdhnaX7Hu5f1fr1c2Rj/Z38K1zx7rulR5rhSxubxSm231gnYRjlHpfrupMkg4Q=="}'
)

# 15.3 notification (key P)
NOTIFICATION_TEXT = (
    "app_id=2021000000000001&auth_app_id=2021000000000001&buyer_id=2088102534368455&buyer_logon_id=138****000"
    '0&buyer_pay_amount=123.45&charset=utf-8&fund_bill_list=[{"amount":"123.45","fundChannel":"ALIPAYACCOUNT"'
    "}]&gmt_create=2026-09-01 00:01:00&gmt_payment=2026-09-01 00:01:05&invoice_amount=123.45&notify_id=202609"
    "0100222000105068450559358070&notify_time=2026-09-01 00:01:06&notify_type=trade_status_sync&out_trade_no="
    "WY202609010002&point_amount=0.00&receipt_amount=123.45&seller_email=wy@example.com&seller_id=20885318916"
    "68739&subject=物业费2026年09月&total_amount=123.45&trade_no=2026090122001468450512505578&trade_status=TRADE_S"
    "UCCESS&version=1.0"
)
NOTIFICATION_TEXT_SHA256 = "71c09c55e13b8afccd8b0d3c620247ba5565387c15d896cc51e9867d4240b5e1"
NOTIFICATION_BODY = (
    "gmt_create=2026-09-01+00%3A01%3A00&charset=utf-8&seller_email=wy%40example.com&subject=%E7%89%A9%E4%B8%9"
    "A%E8%B4%B92026%E5%B9%B409%E6%9C%88&buyer_id=2088102534368455&invoice_amount=123.45&notify_id=20260901002"
    "22000105068450559358070&fund_bill_list=%5B%7B%22amount%22%3A%22123.45%22%2C%22fundChannel%22%3A%22ALIPAY"
    "ACCOUNT%22%7D%5D&notify_type=trade_status_sync&trade_status=TRADE_SUCCESS&receipt_amount=123.45&buyer_pa"
    "y_amount=123.45&app_id=2021000000000001&seller_id=2088531891668739&gmt_payment=2026-09-01+00%3A01%3A05&n"
    "otify_time=2026-09-01+00%3A01%3A06&version=1.0&out_trade_no=WY202609010002&total_amount=123.45&trade_no="
    "2026090122001468450512505578&auth_app_id=2021000000000001&buyer_logon_id=138%2A%2A%2A%2A0000&point_amoun"
    "t=0.00&sign_type=RSA2&sign=qA06vd%2FSlf0HWuMh6pWS%2F%2BQh3oAXfaKg48Gz9BSTK3Du3rMW%2BPEWNnyZiJQYIlaJKdTcC"
    "Sv9IBBLeUiwYWpBGHM8HdgkcMTozRVnknszoSwAydTvERMCTrRDSLo02U9ssyc33V%2B7ZKq11OcIUp9okJ9XEsFbkZb7p%2Ftt%2FJT"
    "yxqaqUjvAu3Z7xRQSQIS9coW2WmKPe9TT6A3Cf6VROCkl8wIK9DbYmIlxsfYZP6F2B2hVSkZVsqJTQrzqSH1hY4UoQ37s%2BXIaHEnY9"
    "cd3xr7%2FCOE2A%2BBMJap3FecpGErCSmmdAu4x8ZuETaknJxoJ8u4h1qUd79MGLMHhLif2akP49A%3D%3D"
)

# 15.4 a real production notification of 2019
REAL_PUBLIC_KEY = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqObrdC7hrgAVM98tK0nv3hSQRGGKT4lBsQjHiGjeYZjOPIPHR5knm2jnnz/Y"
    "GIXIofVHkA/tAlBAd5DrY7YpvI4tP5EONLtZKC2ghBMx7McI2wRD0xiqzxOQr1FuhZGJ8/AUokBzJrzY+aGX2xcOrxFYRlFilvVLTXg4"
    "LWjR1tdPkO6+i7wQZAIVMClPkwVRZEbaERRHlKqTzv2gGv5rDU8gRoe1LeaN+6BlbTqHWkQcNCUNrA8C6l17XAXGKDsm/9TFWwO8EPHH"
    "HCaQdjtV5/FdcWIt+L8SR1ss7EXTjYDFtxcKVv9rEoY1lX8T4mX+GbXfZHraG5NCF1+XioL5JwIDAQAB"
)
REAL_NOTIFICATION_TEXT = (
    "app_id=2019073166072302&auth_app_id=2019073166072302&buyer_id=2088102534368455&buyer_logon_id=xud***@126"
    '.com&buyer_pay_amount=0.10&charset=utf-8&fund_bill_list=[{"amount":"0.10","fundChannel":"ALIPAYACCOUNT"}'
    "]&gmt_create=2019-08-15 15:56:22&gmt_payment=2019-08-15 15:56:24&invoice_amount=0.10&notify_id=201908150"
    "0222155624068450559358070&notify_time=2019-08-15 15:56:25&notify_type=trade_status_sync&out_trade_no=201"
    "90815155618536-564-57&point_amount=0.00&receipt_amount=0.10&seller_email=z97-yuquerevenue@service.aliyun"
    ".com&seller_id=2088531891668739&subject=语雀空间 500人规模&total_amount=0.10&trade_no=2019081522001468450512505"
    "578&trade_status=TRADE_SUCCESS&version=1.0"
)
REAL_NOTIFICATION_SIGNATURE = (
    "QfTb8tqE1BMhS5qAnXtvsF3/jBkEvu9q9en0pdbBUDDjvKycZhQb7h8GDs4FKfi049PynaNuatxSgLb/nLWZpXyyh0LEWdK2S6Ri7nPw"
    "rVgOs08zugLO20vOQz44y3ti2Ncm8/wZts1Fr2gZ7pShnVX3d1B50hbsXnObT1r/U8ONNQjWXd0HIul4TG+Q3fm3svmSvFEy0Wnzuhcy"
    "HPX5Gm4ELNctL6Qd5YniGJFNcc7kopHYtI/XD9YCKCH6Ct02rzUs9i11C9CsadtZn+WhxF26Dqt9sGEFajkJ8cxUTLi8+VCpLHsgPE8P"
    "0y095uQcDdK0YjCh4x7wVSov+lrmOQ=="
)

# 15.6 certificate number
CERTIFICATE_PEM = (
    "-----BEGIN CERTIFICATE-----\n"
    "MIIDKjCCAhKgAwIBAgIKEjRWeJCrze8SNDANBgkqhkiG9w0BAQsFADBUMQswCQYD\n"
    "VQQGEwJDTjEWMBQGA1UECgwNRGVtbyBQcm9wZXJ0eTEQMA4GA1UECwwHU2FuZGJv\n"
    "eDEbMBkGA1UEAwwSRGVtbyBTYW5kYm94IENBIFIxMB4XDTI2MDEwMTAwMDAwMFoX\n"
    "DTM2MDEwMTAwMDAwMFowVDELMAkGA1UEBhMCQ04xFjAUBgNVBAoMDURlbW8gUHJv\n"
    "cGVydHkxEDAOBgNVBAsMB1NhbmRib3gxGzAZBgNVBAMMEkRlbW8gU2FuZGJveCBD\n"
    "QSBSMTCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBAJo4W+Amjq3R1gDE\n"
    "A+5d3yZPwhYBiCTJY/tjYePgafq8oMuP+BQV9KxO8H4WLXzwW91RgBrj5UbmtX8O\n"
    "KY6lj7x3U8Z4d9qWmCdD3Sinzic9hDGU1K6wyLlx1jUNBgyDQpck0qovNoXeQSdv\n"
    "hc/4yFDn7VNWmJLA+j0YED6OioPTkxNT2Fs7Fc5F2nzvGNzhZJVywE2x0bijA8vd\n"
    "JmaGZ1fZHJm3piNc8ipBfVCHJviZunxaW1ERfL4+E+Z372tJgJGSdsOacYb+R23G\n"
    "p17Pyn1LnmERF4Iiues33da2d3EcbiRgQ60yQPPPIAuiIaasldTD6zxLHIgvzX9u\n"
    "VMLh13kCAwEAATANBgkqhkiG9w0BAQsFAAOCAQEACl8AqwJs2tLlD4wG7698tRgo\n"
    "Xhq9MjTIYHMh96KrCXf1v6rgUb7R+fF0BIgJg6TZHUUyDLv4SpDyjWyvD7uQidKq\n"
    "HvnCqPq/8h/gp8wGbj3A26eirHRrcS+tE+VVSwWtlKxFU2LrnSm9fDiVuMzHlm6u\n"
    "1ALyMRmf0pjckK+GKniTdYnzd724ye5aP++kHcKKbAzHIWwnhEWXRMqnGVpSyFGK\n"
    "nRVtbeRf20OdkypOriUwlhV3oEDdJGLh6BBcFf8jSF4OaFWbyM68oGvE4zkQmfUh\n"
    "5vyv7d97Oycq5Zc7gY1YZHjS+kLwfYVj1Mvg0/LcCwYLG2calZ5ShaolRvnERA==\n"
    "-----END CERTIFICATE-----\n"
)
CERTIFICATE_SN = "6783483365d3b35f1993a669e67ad82f"
CERTIFICATE_ISSUER_AND_SERIAL = "CN=Demo Sandbox CA R1,OU=Sandbox,O=Demo Property,C=CN85968058272638546416180"
