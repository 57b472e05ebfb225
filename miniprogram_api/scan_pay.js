(function () {
  var parameters = JSON.parse(document.getElementById('parameters').textContent);
  var states = ['waiting', 'done', 'cancelled', 'failed'];
  function show(state) {
    states.forEach(function (name) { document.getElementById(name).hidden = name !== state; });
    document.getElementById('again').hidden = state === 'waiting' || state === 'done';
  }
  function pay() {
    show('waiting');
    window.WeixinJSBridge.invoke('getBrandWCPayRequest', parameters, function (answer) {
      if (answer.err_msg === 'get_brand_wcpay_request:ok') { show('done'); }
      else if (answer.err_msg === 'get_brand_wcpay_request:cancel') { show('cancelled'); }
      else { show('failed'); }
    });
  }
  document.getElementById('again').addEventListener('click', pay);
  if (window.WeixinJSBridge) { pay(); } else { document.addEventListener('WeixinJSBridgeReady', pay, false); }
})();
