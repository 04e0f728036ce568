"""Every verb of SMTP and the function that carries it out (RFC 5321 4.1.1, RFC 3030, RFC 3207, RFC 4954)."""

from smtp_gateway.smtp.verbs import auth, bdat, data, greeting, mail, rcpt, simple

VERBS = {
    "EHLO": greeting.ehlo,
    "HELO": greeting.helo,
    "STARTTLS": greeting.starttls,
    "AUTH": auth.auth,
    "MAIL": mail.mail,
    "RCPT": rcpt.rcpt,
    "DATA": data.data,
    "BDAT": bdat.bdat,
    "RSET": simple.rset,
    "NOOP": simple.noop,
    "QUIT": simple.quit_,
    "VRFY": simple.vrfy,
    "EXPN": simple.expn,
    "HELP": simple.help_,
}
