// Command peers is a peer that uses go-spiffe, for tests: it verifies, serves and calls with what the signer issued.
//
//	peers verify TRUST_DOMAIN BUNDLE.pem CHAIN.pem
//	peers bundle TRUST_DOMAIN BUNDLE.json
//	peers serve  TRUST_DOMAIN BUNDLE.pem CHAIN.pem KEY.pem PEER_ID
//	peers call   TRUST_DOMAIN BUNDLE.pem CHAIN.pem KEY.pem PEER_ID ADDRESS
//
// What succeeded goes to standard output; what did not, to standard error, with exit code 1.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: peers verify|bundle|serve|call TRUST_DOMAIN BUNDLE …")
	}
	domain, err := spiffeid.TrustDomainFromString(args[1])
	if err != nil {
		return err
	}
	switch args[0] {
	case "verify":
		return verify(domain, args[2], args[3])
	case "bundle":
		return bundle(domain, args[2])
	case "serve":
		return serve(domain, args[2:])
	case "call":
		return call(domain, args[2:])
	}
	return fmt.Errorf("what is %q?", args[0])
}

func verify(domain spiffeid.TrustDomain, bundleFile, chainFile string) error {
	roots, err := x509bundle.Load(domain, bundleFile)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(chainFile)
	if err != nil {
		return err
	}
	var chain []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return err
		}
		chain = append(chain, certificate)
	}
	id, _, err := x509svid.Verify(chain, roots)
	if err != nil {
		return err
	}
	fmt.Println(id)
	return nil
}

func bundle(domain spiffeid.TrustDomain, file string) error {
	read, err := spiffebundle.Load(domain, file)
	if err != nil {
		return err
	}
	sequence, _ := read.SequenceNumber()
	hint, _ := read.RefreshHint()
	fmt.Println(len(read.X509Authorities()), len(read.JWTAuthorities()), sequence, hint)
	return nil
}

// party is what one end of a connection has.
func party(domain spiffeid.TrustDomain, args []string) (*x509svid.SVID, *x509bundle.Bundle, tlsconfig.Authorizer, error) {
	roots, err := x509bundle.Load(domain, args[0])
	if err != nil {
		return nil, nil, nil, err
	}
	svid, err := x509svid.Load(args[1], args[2])
	if err != nil {
		return nil, nil, nil, err
	}
	peer, err := spiffeid.FromString(args[3])
	return svid, roots, tlsconfig.AuthorizeID(peer), err
}

// serve answers one connection with the identity of whoever called.
func serve(domain spiffeid.TrustDomain, args []string) error {
	svid, roots, authorizer, err := party(domain, args)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	connection, err := listener.Accept()
	if err != nil {
		return err
	}
	return speak(tls.Server(connection, tlsconfig.MTLSServerConfig(svid, roots, authorizer)))
}

// call asks a server for the identity that it saw.
func call(domain spiffeid.TrustDomain, args []string) error {
	svid, roots, authorizer, err := party(domain, args)
	if err != nil {
		return err
	}
	connection, err := net.Dial("tcp", args[4])
	if err != nil {
		return err
	}
	return speak(tls.Client(connection, tlsconfig.MTLSClientConfig(svid, roots, authorizer)))
}

// speak sends a line and waits for the other's: a client only knows by it that the server took its certificate.
func speak(connection *tls.Conn) error {
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(10 * time.Second))
	if err := connection.Handshake(); err != nil {
		return err
	}
	id, err := x509svid.IDFromCert(connection.ConnectionState().PeerCertificates[0])
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(connection, id); err != nil {
		return err
	}
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil {
		return err
	}
	fmt.Print(line)
	return nil
}
