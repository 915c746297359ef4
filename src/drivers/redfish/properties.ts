const UNUSED = 'Accepted for compatibility with Ironic; not used by this service.';

/** The keys of driver_info with their descriptions (recorded: "driver properties"). */
export const REDFISH_PROPERTIES: Readonly<Record<string, string>> = {
  redfish_address:
    'URL of the BMC, for example https://bmc.example; the scheme defaults to https. A path in it replaces /redfish/v1/. Required.',
  redfish_system_id:
    'Path of the ComputerSystem, for example /redfish/v1/Systems/1. Required only where the BMC has several systems.',
  redfish_username: 'User name at the BMC. Without it, requests are sent without credentials. Optional.',
  redfish_password: 'Password at the BMC. Optional.',
  redfish_verify_ca:
    'Whether to verify the certificate of the BMC: true, false, CA certificates in PEM, or the path of a CA file or folder in redfish.ca_folder of the configuration. Defaults to true. Optional.',
  redfish_auth_type:
    'How to log in: session, basic, or auto (a session, or Basic where the BMC offers none). Defaults to redfish.auth_type of the configuration. Optional.',
  redfish_tls_minimum_version:
    'Lowest TLS version to accept: 1.0, 1.1, 1.2 or 1.3. Old BMCs need 1.0. Defaults to 1.2. Optional.',
  redfish_tls_ciphers: "TLS ciphers to offer, in OpenSSL's format. Defaults to OpenSSL's own. Optional.",
  redfish_connection_attempts:
    'Maximum number of attempts to connect to the BMC. Defaults to redfish.connection_attempts of the configuration. Optional.',
  redfish_request_timeout:
    'Time limit of one request to the BMC, in seconds. Defaults to redfish.request_timeout of the configuration. Optional.',
  redfish_keep_alive:
    'Whether to keep connections between requests; false for a BMC that stalls on kept ones. Defaults to true. Optional.',
  deploy_kernel: UNUSED,
  deploy_ramdisk: UNUSED,
  image_http_proxy: UNUSED,
  image_https_proxy: UNUSED,
  image_no_proxy: UNUSED,
  image_download_source: UNUSED,
  deploy_forces_oob_reboot: UNUSED,
  agent_verify_ca: UNUSED,
  force_persistent_boot_device: UNUSED,
  rescue_kernel: UNUSED,
  rescue_ramdisk: UNUSED,
  kernel_append_params: UNUSED,
};
