package wsfed

import (
	"slices"
	"strconv"
	"strings"
)

// words are what the pages say in one language.
type words struct {
	Lang                              string
	Username, Password, SignIn        string
	Submit, Working, NoScript         string
	Incorrect, Expired, MustChange    string
	Disabled, AccountEnded, Missing   string
	Stale, Ended, Unproved, Throttled string
	Busy, Down, Sorry, Bad, Reference string
}

// languages are those that the pages can be had in; the first is the default.
var languages = []words{
	{
		Lang: "en", Username: "User name", Password: "Password", SignIn: "Sign in",
		Submit: "Submit", Working: "Working...", NoScript: "Script is disabled. Click Submit to continue.",
		Incorrect:    "The username or password you entered is incorrect.",
		Expired:      "Your password has expired. Change it at your computer, or ask your help desk, and sign in again.",
		MustChange:   "You must change your password before you can sign in. Change it at your computer, or ask your help desk.",
		Disabled:     "Your account is disabled. Ask your help desk.",
		AccountEnded: "Your account has expired. Ask your help desk.",
		Missing:      "Enter your user name and your password.",
		Stale:        "This page was open for too long, or your browser does not keep its cookies. Sign in again.",
		Ended:        "Your session has ended. Sign in again.",
		Unproved:     "You could not be signed in automatically. Enter your user name and your password.",
		Throttled:    "There were too many attempts. Try again in a few minutes.",
		Busy:         "Too many people are signing in at the moment. Try again in a few seconds.",
		Down:         "You cannot be signed in at the moment. Try again in a few minutes, or give the reference below to your help desk.",
		Sorry:        "That did not work", Bad: "The address that brought you here is not valid. Go back to the application and try again.",
		Reference: "Reference",
	},
	{
		Lang: "de", Username: "Benutzername", Password: "Passwort", SignIn: "Anmelden",
		Submit: "Weiter", Working: "Einen Moment ...", NoScript: "Skripte sind ausgeschaltet. Klicken Sie auf Weiter.",
		Incorrect:    "Benutzername oder Passwort ist falsch.",
		Expired:      "Ihr Passwort ist abgelaufen. Ändern Sie es an Ihrem Computer oder fragen Sie Ihren Helpdesk, und melden Sie sich dann wieder an.",
		MustChange:   "Sie müssen Ihr Passwort ändern, bevor Sie sich anmelden können. Ändern Sie es an Ihrem Computer oder fragen Sie Ihren Helpdesk.",
		Disabled:     "Ihr Konto ist deaktiviert. Fragen Sie Ihren Helpdesk.",
		AccountEnded: "Ihr Konto ist abgelaufen. Fragen Sie Ihren Helpdesk.",
		Missing:      "Geben Sie Benutzername und Passwort ein.",
		Stale:        "Diese Seite war zu lange offen, oder Ihr Browser behält ihre Cookies nicht. Melden Sie sich noch einmal an.",
		Ended:        "Ihre Sitzung ist zu Ende. Melden Sie sich noch einmal an.",
		Unproved:     "Die automatische Anmeldung hat nicht geklappt. Geben Sie Benutzername und Passwort ein.",
		Throttled:    "Es gab zu viele Versuche. Versuchen Sie es in einigen Minuten noch einmal.",
		Busy:         "Im Moment melden sich zu viele an. Versuchen Sie es in einigen Sekunden noch einmal.",
		Down:         "Die Anmeldung ist im Moment nicht möglich. Versuchen Sie es in einigen Minuten noch einmal, oder nennen Sie Ihrem Helpdesk das Kennzeichen unten.",
		Sorry:        "Das hat nicht geklappt", Bad: "Die Adresse, die Sie hierher geführt hat, ist ungültig. Gehen Sie zurück zur Anwendung und versuchen Sie es noch einmal.",
		Reference: "Kennzeichen",
	},
	{ //nolint:gosec // a word for passwords, and none
		Lang: "es", Username: "Nombre de usuario", Password: "Contraseña", SignIn: "Iniciar sesión",
		Submit: "Continuar", Working: "Espere, por favor...", NoScript: "Los scripts están desactivados. Haga clic en Continuar.",
		Incorrect:    "El nombre de usuario o la contraseña no son correctos.",
		Expired:      "Su contraseña ha caducado. Cámbiela en su equipo o pregunte a su servicio de asistencia, y vuelva a iniciar sesión.",
		MustChange:   "Debe cambiar su contraseña antes de iniciar sesión. Cámbiela en su equipo o pregunte a su servicio de asistencia.",
		Disabled:     "Su cuenta está desactivada. Pregunte a su servicio de asistencia.",
		AccountEnded: "Su cuenta ha caducado. Pregunte a su servicio de asistencia.",
		Missing:      "Escriba su nombre de usuario y su contraseña.",
		Stale:        "Esta página ha estado abierta demasiado tiempo, o su navegador no guarda sus cookies. Vuelva a iniciar sesión.",
		Ended:        "Su sesión ha terminado. Vuelva a iniciar sesión.",
		Unproved:     "No se ha podido iniciar sesión automáticamente. Escriba su nombre de usuario y su contraseña.",
		Throttled:    "Ha habido demasiados intentos. Vuelva a intentarlo dentro de unos minutos.",
		Busy:         "Demasiadas personas están iniciando sesión ahora mismo. Vuelva a intentarlo dentro de unos segundos.",
		Down:         "No se puede iniciar sesión ahora mismo. Vuelva a intentarlo dentro de unos minutos, o dé la referencia de abajo a su servicio de asistencia.",
		Sorry:        "No ha funcionado", Bad: "La dirección que le ha traído aquí no es válida. Vuelva a la aplicación e inténtelo de nuevo.",
		Reference: "Referencia",
	},
	{ //nolint:gosec // a word for passwords, and none
		Lang: "fr", Username: "Nom d’utilisateur", Password: "Mot de passe", SignIn: "Se connecter",
		Submit: "Continuer", Working: "Un instant...", NoScript: "Les scripts sont désactivés. Cliquez sur Continuer.",
		Incorrect:    "Le nom d’utilisateur ou le mot de passe est incorrect.",
		Expired:      "Votre mot de passe a expiré. Changez-le sur votre ordinateur ou demandez à votre assistance, puis reconnectez-vous.",
		MustChange:   "Vous devez changer votre mot de passe avant de vous connecter. Changez-le sur votre ordinateur ou demandez à votre assistance.",
		Disabled:     "Votre compte est désactivé. Demandez à votre assistance.",
		AccountEnded: "Votre compte a expiré. Demandez à votre assistance.",
		Missing:      "Saisissez votre nom d’utilisateur et votre mot de passe.",
		Stale:        "Cette page est restée ouverte trop longtemps, ou votre navigateur ne garde pas ses cookies. Reconnectez-vous.",
		Ended:        "Votre session est terminée. Reconnectez-vous.",
		Unproved:     "La connexion automatique n’a pas fonctionné. Saisissez votre nom d’utilisateur et votre mot de passe.",
		Throttled:    "Il y a eu trop de tentatives. Réessayez dans quelques minutes.",
		Busy:         "Trop de personnes se connectent en ce moment. Réessayez dans quelques secondes.",
		Down:         "La connexion est impossible en ce moment. Réessayez dans quelques minutes, ou donnez la référence ci-dessous à votre assistance.",
		Sorry:        "Cela n’a pas fonctionné", Bad: "L’adresse qui vous a amené ici n’est pas valide. Retournez à l’application et réessayez.",
		Reference: "Référence",
	},
}

// wordsFor returns the words of the language that a browser likes best (RFC
// 9110, section 12.5.4).
func wordsFor(accept string) *words {
	best, quality := &languages[0], 0.0
	for _, part := range strings.Split(accept, ",") {
		tag, parameter, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q="); ok {
			q, _ = strconv.ParseFloat(v, 64) // what is no number counts for nothing
		}
		tag, _, _ = strings.Cut(strings.ToLower(tag), "-")
		i := slices.IndexFunc(languages, func(w words) bool { return w.Lang == tag })
		if i >= 0 && q > quality {
			best, quality = &languages[i], q
		}
	}
	return best
}
