export { type Algorithm, SoftwareAuthenticator, type Twist } from '../../src/testing/authenticator.ts';
