# Reads the environment variables that kitchen.yml lists, for its ERB.

require "json"
require "shellwords"
require "yaml"

module Environment
  USERS = { "vagrant" => "vagrant", "docker" => "kitchen" }.freeze
  SSH_PORT = 22

  # The vendors' repositories for EL 8 and 9. Mesosphere has packages for EL 7 only.
  VENDORS = {
    "aventer" => {
      baseurl: "http://rpm.aventer.biz/CentOS/$releasever/$basearch/",
      gpgkey: "https://www.aventer.biz/assets/support_aventer.asc"
    },
    "docker-ce" => {
      baseurl: "https://download.docker.com/linux/centos/$releasever/$basearch/stable",
      gpgkey: "https://download.docker.com/linux/centos/gpg"
    }
  }.freeze

  module_function

  # An empty variable counts as not set.
  def value(name, default = nil)
    ENV[name].to_s.empty? ? default : ENV[name]
  end

  def driver
    name = value("KITCHEN_DRIVER", "vagrant")
    unless [*USERS.keys, "proxy"].include?(name)
      raise "KITCHEN_DRIVER = #{name}: no such driver. Known: vagrant, docker, proxy."
    end
    if name == "proxy" && !value("KITCHEN_HOSTNAME")
      raise "KITCHEN_HOSTNAME is not set: the machine that proxy is to use."
    end

    name
  end

  def user
    USERS.fetch(driver) { value("KITCHEN_USERNAME", "root") }
  end

  # A variable that only the driver proxy uses.
  def proxy(name, default = nil)
    value(name, default) if driver == "proxy"
  end

  # The port of sshd on an existing machine.
  def port
    text = proxy("KITCHEN_PORT", SSH_PORT.to_s)
    return if text.nil?
    unless text.match?(/\A\d+\z/) && text.to_i.between?(1, 65_535)
      raise "KITCHEN_PORT = #{text}: not a port. A port is a number from 1 to 65535."
    end

    text.to_i
  end

  def sudo(word = "sudo")
    word unless user == "root"
  end

  def vault
    mirror = value("MIRROR")
    public_vault = "http://vault.centos.org/7.9.2009"
    value("CENTOS_VAULT", mirror ? "#{mirror}/centos/7.9.2009" : public_vault)
  end

  # The shell line that installs Salt. It contains the script, as nothing is copied to the machine
  # before this line runs.
  def install_salt
    options = {
      "-R" => value("SALT_REPO"), "-G" => value("SALT_KEY"), "-V" => vault
    }.compact.flatten
    words = ["sh", "-s", "--", *options, value("SALT_LINE", "3006")]
    script = [File.read("conf/install-salt")].pack("m0")
    "echo #{script} | base64 --decode | #{[sudo, *words].compact.shelljoin}"
  end

  # The setting common:repositories of a platform.
  def repositories(platform, release)
    mirror = value("MIRROR")
    settings = mirror ? mirrored(mirror, release[/\d+/]) : {}
    if platform == "centos"
      settings[:vault] = vault
    elsif mirror
      settings[:vault] = "#{mirror}/#{platform}/#{release}"
      settings[:extra] = { "docker-ce" => docker_ce(mirror, release[/\d+/]) }
    else
      settings[:extra] = VENDORS
    end
    settings.to_json
  end

  def mirrored(mirror, major)
    {
      baseurl: "#{mirror}/el/#{major}", gpgkey: mirror_key(mirror),
      vault_gpgkey: value("SYSTEM_KEY")
    }.compact
  end

  def docker_ce(mirror, major)
    {
      baseurl: "#{mirror}/docker-ce/#{major}/$basearch/stable",
      gpgkey: value("DOCKER_KEY", mirror_key(mirror))
    }
  end

  def mirror_key(mirror)
    value("MIRROR_KEY", "#{mirror}/RPM-GPG-KEY-mesosphere")
  end

  # The setting common of a driver. The host of a container manages its clock and firewall. The
  # firewall of an existing machine must keep the port open over which kitchen reaches it.
  def driver_settings
    if driver == "docker"
      settings = { time: { enabled: false }, firewall: { enabled: false } }
    elsif [nil, SSH_PORT].include?(port)
      settings = {}
    else
      settings = { firewall: { extra: [{ port: port, from: "everyone" }] } }
    end
    settings.to_json
  end
end
