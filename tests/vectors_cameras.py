"""Samples of protocols/cameras.md, byte by byte: both sides are held against them, apart from each other."""

from datetime import UTC, datetime

AT = datetime(2026, 11, 20, 2, 30, 15, 120_500, UTC)

# 1.7: frame in hex, base64, dataLen.
FRAMES = {
    "欢迎光临": ("0064FFFF300901BBB6D3ADB9E2C1D93258", "AGT//zAJAbu206254sHZMlg=", 17),
    "请交费10元": ("0064FFFF300B01C7EBBDBBB7D13130D4AA431E", "AGT//zALAcfrvbu30TEw1KpDHg==", 19),
    "一路平安": ("0064FFFF300901D2BBC2B7C6BDB0B23E20", "AGT//zAJAdK7wrfGvbCyPiA=", 17),
    "粤B12345,欢迎光临": (
        "0064FFFF301201D4C14231323334352CBBB6D3ADB9E2C1D96A91",
        "AGT//zASAdTBQjEyMzQ1LLu206254sHZapE=",
        26,
    ),
}
SHOWN = (
    "0064FFFF6E3900020000000A01FF00000008D4C14231323334350D0100000A01FF0000000AC7EBBDC9B7D13130D4AA00"
    "0A0CC7EBBDC9B7D12C31302CD4AA00D94F"
)
SHOWN_BASE64 = "AGT//245AAIAAAAKAf8AAAAI1MFCMTIzNDUNAQAACgH/AAAACsfrvcm30TEw1KoACgzH673Jt9EsMTAs1KoA2U8="
SHOWN_LENGTH = 65

# 1.13
ZHENSHI_ENTRY = """{"AlarmInfoPlate":{"channel":0,"deviceName":"IN-1","ipaddr":"192.168.1.100",
 "serialno":"0a1b2c3d-4e5f6071",
 "result":{"PlateResult":{"license":"粤B12345","colorType":1,"type":1,"confidence":96,"direction":4,"triggerType":8,
  "plateid":4711,"isoffline":0,"gioouts":[{"ionum":"0","ctrltype":0}],"is_fake_plate":0,"carColor":8,
  "location":{"RECT":{"left":802,"top":565,"right":1063,"bottom":640}},
  "timeStamp":{"Timeval":{"sec":1795141815,"usec":120500,"decyear":2026,"decmon":11,"decday":20,"dechour":10,
  "decmin":30,"decsec":15}},
  "imageFile":"/9j/2Q==","imageFileLen":4,"imageFragmentFile":"/9j/2Q==","imageFragmentFileLen":4}}}}"""
ZHENSHI_OPENED = """{"Response_AlarmInfoPlate":{"info":"ok","channelNum":0,"plateid":4711,"content":"retransfer_stop",
 "is_pay":"true",
 "serialData":[{"serialChannel":0,"data":"AGT//zASAdTBQjEyMzQ1LLu206254sHZapE=","dataLen":26}]}}"""
ZHENSHI_OWES = (
    '{"Response_AlarmInfoPlate":{"info":"no","plateid":4712,"content":"retransfer_stop","is_pay":"false",'
    f'"serialData":[{{"serialChannel":0,"data":"{SHOWN_BASE64}","dataLen":65}}]}}}}'
)
ZHENSHI_COMMAND = """{"Response_AlarmInfoPlate":{"info":"ok","channelNum":0,
 "serialData":[{"serialChannel":0,"data":"AGT//zAJAdK7wrfGvbCyPiA=","dataLen":17}]}}"""
ZHENSHI_IDLE = '{"status":"ok"}'
ZHENSHI_REPLAY = """{"AlarmInfoPlate":{"serialno":"0a1b2c3d-4e5f6071","result":{"PlateResult":{"license":"粤B67890",
 "plateid":4690,"isoffline":1,"gioouts":[{"ionum":0,"ctrltype":2}],"timeStamp":{"Timeval":{"sec":1795120000,"usec":0}}}}}}"""
ZHENSHI_REPLAYED = """{"Response_AlarmInfoPlate":{"info":"no","content":"retransfer_stop",
 "ContinuePushOffline":{"plateid":4690,"continue":1}}}"""

# 2.4, 2.5
QY_HEARTBEAT = '{"heartbeat":{"serialno":"23d022da94b8469b","ipaddr":"192.168.1.101"}}'
QY_HEARTBEAT_IDLE = '{"Response_Heartbeat":{"info":"no","serialData":[],"shutoff":"no","snapnow":"no"}}'
QY_HEARTBEAT_OPEN = '{"Response_Heartbeat":{"info":"ok","serialData":[],"shutoff":"no","snapnow":"no"}}'
QY_EXIT = """{"AlarmInfoPlate":{"serialno":"23d022da94b8469b","deviceName":"OUT","ipaddr":"192.168.1.101","channel":0,
 "result":{"PlateResult":{"license":"粤BD12345","type":11,"colorType":5,"confidence":91,"triggerType":1,
 "imageFile":"/9j/2Q==","timeStamp":{"Timeval":{"sec":1795141900,"usec":0}}}}}}"""
QY_STAYS = """{"Response_AlarmInfoPlate":{"info":"no","content":"retransfer_stop","is_pay":"false","serialData":[]}}"""

# 3.7
HIKVISION_XML = """<?xml version="1.0" encoding="UTF-8"?>
<EventNotificationAlert version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema">
 <ipAddress>192.168.1.64</ipAddress><protocol>HTTP</protocol><macAddress>a4:14:37:00:11:22</macAddress>
 <channelID>1</channelID><dateTime>2026-11-20T10:30:15.120+08:00</dateTime><activePostCount>1</activePostCount>
 <eventType>ANPR</eventType><eventState>active</eventState><eventDescription>ANPR</eventDescription><channelName>IN-1</channelName>
 <ANPR><licensePlate>蓝粤B12345</licensePlate><line>1</line><direction>forward</direction><confidenceLevel>97</confidenceLevel>
  <plateType>92TypeCivil</plateType><plateColor>blue</plateColor><vehicleType>vehicle</vehicleType>
  <alarmDataType>0</alarmDataType><EntranceInfo><gateID>1</gateID><direction>enter</direction></EntranceInfo>
  <pictureInfoList>
   <pictureInfo><fileName>licensePlatePicture.jpg</fileName><type>licensePlatePicture</type><dataType>0</dataType><pId>P1</pId><absTime>20261120103015120</absTime></pictureInfo>
   <pictureInfo><fileName>detectionPicture.jpg</fileName><type>detectionPicture</type><dataType>0</dataType><pId>P2</pId><absTime>20261120103015120</absTime></pictureInfo>
  </pictureInfoList><listType>temporary</listType></ANPR>
 <UUID>0f9c1c1e-7f10-4c1b-9d55-0a1437001122</UUID><picNum>2</picNum><isDataRetransmission>false</isDataRetransmission>
</EventNotificationAlert>"""
MULTIPART = {"Content-Type": "multipart/form-data; boundary=MIME_boundary"}
HIKVISION_PUSH = (
    b'--MIME_boundary\r\nContent-Disposition: form-data; name="anpr.xml"; filename="anpr.xml"\r\n'
    b"Content-Type: application/xml\r\n\r\n" + HIKVISION_XML.encode() + b"\r\n"
    b'--MIME_boundary\r\nContent-Disposition: form-data; name="P1"; filename="licensePlatePicture.jpg"\r\n'
    b"Content-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xd9\r\n"
    b'--MIME_boundary\r\nContent-Disposition: form-data; name="P2"; filename="detectionPicture.jpg"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n\xff\xd8\xff\xd9\r\n"
    b"--MIME_boundary--\r\n"
)
HIKVISION_OPEN_PATH = "/ISAPI/Parking/channels/1/barrierGate"
HIKVISION_OPEN = b'<?xml version="1.0" encoding="UTF-8"?><BarrierGate><ctrlMode>open</ctrlMode></BarrierGate>'

# 4.2
DAHUA_PUSH = """{"Picture":{"Plate":{"PlateNumber":"粤BD12345","PlateColor":"Green","Confidence":95,"IsExist":true,"Channel":0},
 "Vehicle":{"VehicleColor":"White","VehicleType":"Car"},
 "SnapInfo":{"DeviceID":"8B0A1C2PAG00001","AccurateTime":"2026-11-20 10:30:15.120","Direction":"Obverse","LanNo":1,"TriggerSource":"Video"},
 "NormalPic":{"PicName":"20261120103015120_粤BD12345.jpg","Content":"/9j/2Q=="},"CutoutPic":{"PicName":"c.jpg","Content":"/9j/2Q=="}}}"""  # noqa: E501 - as in the protocol file
DAHUA_TAKEN = '{"Result":true}'
DAHUA_KEEPALIVE = '{"Active":"keepAlive","DeviceID":"8B0A1C2PAG00001"}'
